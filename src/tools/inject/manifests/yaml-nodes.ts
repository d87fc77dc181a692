/** Finds nodes and their ranges in a parsed YAML document, for edits of its text. */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'

export type Key = string | number

export interface YamlDocument {
  readonly document: Document
  /** The text of the whole file, to which the offsets of the document's nodes refer. */
  readonly source: string
  /** The anchors that aliases name: what they mark is written once and used in several places. */
  readonly sharedAnchors: ReadonlySet<string>
}

/** Thrown for a change that cannot be written without changing something else. */
export class UneditableError extends Error {
  /** The offset in the file of the text that prevents the change; undefined if it has none. */
  readonly offset: number | undefined
  readonly fix: string

  constructor(message: string, offset?: number, fix = 'write it in plain block style') {
    super(message)
    this.name = 'UneditableError'
    this.offset = offset
    this.fix = fix
  }
}

/** Prepares a document for edits; it must have been parsed with `keepSourceTokens`. */
export function createYamlDocument(document: Document, source: string): YamlDocument {
  const sharedAnchors = new Set<string>()
  visit(document, { Alias: (_, { source: anchor }) => void sharedAnchors.add(anchor) })
  return { document, source, sharedAnchors }
}

/** A node of a document. */
export interface Place {
  readonly node: Node
  /** The key of the node's value; undefined for an element of a list and for the root. */
  readonly key: Node | undefined
  readonly parent: Node | undefined
  readonly path: readonly Key[]
}

/** Returns the node at the path. Throws an `UneditableError` if it, or one above, is shared or missing. */
export function findPlace(yaml: YamlDocument, path: readonly Key[]): Place {
  const root = requireUnshared(yaml, yaml.document.contents, [])
  return path.reduce<Place>((place, key) => findMember(yaml, place, key), {
    node: root,
    key: undefined,
    parent: undefined,
    path: [],
  })
}

/** Returns the member of a node. Throws an `UneditableError` if it is shared or missing. */
export function findMember(yaml: YamlDocument, { node, path: above }: Place, key: Key): Place {
  const path = [...above, key]
  if (isSeq(node)) {
    const element = requireUnshared(yaml, node.items[Number(key)], path)
    return { node: element, key: undefined, parent: node, path }
  }
  const pair = isMap(node)
    ? node.items.find((each) => isScalar(each.key) && String(each.key.value) === String(key))
    : undefined
  if (pair === undefined) {
    const offset = node.range?.[0]
    throw new UneditableError(`${path.join('.')} comes from a merge key (<<)`, offset, WRITE_OUT)
  }
  const value = requireUnshared(yaml, pair.value, path)
  return { node: value, key: asNode(pair.key), parent: node, path }
}

const EXPLODE = "or pass the output of yq 'explode(.)'"
const WRITE_OUT = `write the value out there, ${EXPLODE}`

/** Throws if the node is written in one place and used in another too. */
function requireUnshared(yaml: YamlDocument, value: unknown, path: readonly Key[]): Node {
  const node = asNode(value)
  const offset = node.range?.[0]
  if (isAlias(node)) {
    const problem = `${path.join('.')} is the alias *${node.source}`
    throw new UneditableError(problem, offset, WRITE_OUT)
  }
  if (node.anchor !== undefined && yaml.sharedAnchors.has(node.anchor)) {
    const problem = `${path.join('.')} has the anchor &${node.anchor}, used elsewhere too,`
    throw new UneditableError(problem, offset, `write both values out, ${EXPLODE}`)
  }
  return node
}

/** Returns the value as a node. Throws an `UneditableError` if it is none. */
export function asNode(value: unknown): Node {
  if (!isNode(value)) throw new UneditableError('a value is missing in the document')
  return value
}

/** Returns where the node begins and where its own text ends. */
export function getRange(node: Node): readonly [start: number, end: number] {
  if (!node.range) throw new UneditableError('a node has no range')
  return [node.range[0], node.range[1]]
}

/** Returns the column of a block collection: of its keys, or of its dashes. */
export function getColumn(node: YAMLMap | YAMLSeq): number {
  const token = node.srcToken
  if (token === undefined || !('indent' in token)) throw new UneditableError('a node has no token')
  return token.indent
}

/** Returns the offset after the node's last character, without the comments that follow. */
export function findContentEnd(node: Node): number {
  if (isFlow(node) || isScalar(node) || isAlias(node)) return getRange(node)[1]
  if (isSeq(node)) return findContentEnd(asNode(node.items.at(-1)))
  if (!isMap(node)) throw new UneditableError('a node is of an unknown kind')
  const last = node.items.at(-1)
  return findContentEnd(asNode(last?.value ?? last?.key))
}

/** Returns true for a collection in brackets or braces. */
export function isFlow(node: Node | undefined): boolean {
  return (isMap(node) || isSeq(node)) && node.flow === true
}

/** Returns true for a text in double or single quotes. */
export function isQuoted(node: Node): boolean {
  return isScalar(node) && (node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE')
}
