/** Finding one's way in a parsed YAML document that has kept its source tokens. */
import {
  type Document,
  type Node,
  type Pair,
  type YAMLMap,
  type YAMLSeq,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  visit,
} from 'yaml'
import type { Key } from '../injector/changes.ts'
import { UneditableError } from './text-edit.ts'

/** A document, and what it says in several places. */
export interface YamlTree {
  readonly document: Document
  /** The anchors that aliases name. */
  readonly shared: ReadonlySet<string>
}

export interface Located {
  readonly node: Node
  /** The key whose value the node is; undefined for an element of a list and for the root. */
  readonly key: Node | undefined
}

/** The document, looked through once. */
export function yamlTree(document: Document): YamlTree {
  const shared = new Set<string>()
  visit(document, { Alias: (_, { source }) => void shared.add(source) })
  return { document, shared }
}

/** The node at a path. Throws if the way leads through something that is written elsewhere too. */
export function nodeAt({ document, shared }: YamlTree, path: readonly Key[]): Located {
  let located: Located = { node: own(document.contents, [], shared), key: undefined }
  for (const [depth, key] of path.entries()) {
    located = memberOf(located.node, key, path.slice(0, depth + 1), shared)
  }
  return located
}

/** The node's offsets in the source: where it begins, and where its own text ends. */
export function rangeOf(node: Node): readonly [start: number, end: number] {
  if (!node.range) throw new UneditableError('the document has lost its source')
  return [node.range[0], node.range[1]]
}

/** True for a collection in brackets or braces. */
export function isFlow(node: Node): boolean {
  return (isMap(node) || isSeq(node)) && node.flow === true
}

/** The column of a block collection: of its keys, or of its dashes. */
export function columnOf(node: YAMLMap | YAMLSeq): number {
  const token = node.srcToken
  if (token === undefined || !('indent' in token)) {
    throw new UneditableError('the document has lost its source')
  }
  return token.indent
}

/** The offset behind the node's last character, comments behind it left out. */
export function contentEnd(node: Node): number {
  if (isFlow(node) || isScalar(node) || isAlias(node)) return rangeOf(node)[1]
  if (isSeq(node)) return contentEnd(asNode(node.items.at(-1)))
  if (!isMap(node)) throw new UneditableError('a node of an unknown kind')
  const last = node.items.at(-1)
  return contentEnd(asNode(last?.value ?? last?.key))
}

function memberOf(
  node: Node,
  key: Key,
  path: readonly Key[],
  shared: ReadonlySet<string>,
): Located {
  if (isSeq(node)) return { node: own(node.items[Number(key)], path, shared), key: undefined }
  const pair = isMap(node) ? node.items.find((each) => keyText(each) === String(key)) : undefined
  if (pair === undefined) {
    throw new UneditableError(`${path.join('.')} comes from a merge key (<<); write it out there`)
  }
  return { node: own(pair.value, path, shared), key: asNode(pair.key) }
}

/** The node, if it belongs to this place alone. */
function own(value: unknown, path: readonly Key[], shared: ReadonlySet<string>): Node {
  const node = asNode(value)
  if (isAlias(node)) {
    throw new UneditableError(`${path.join('.')} is the alias *${node.source}; write it out there`)
  }
  if (node.anchor !== undefined && shared.has(node.anchor)) {
    throw new UneditableError(
      `${path.join('.')} has the anchor &${node.anchor}, used elsewhere too; write both out`,
    )
  }
  return node
}

function keyText({ key }: Pair): string | undefined {
  return isScalar(key) ? String(key.value) : undefined
}

function asNode(value: unknown): Node {
  if (!isNode(value)) throw new UneditableError('a value is missing in the document')
  return value
}
