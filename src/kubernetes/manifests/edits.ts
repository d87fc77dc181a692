/** Changes of a document's data → edits of its text, in the style the text around them has. */
import { type Node, type YAMLMap, type YAMLSeq, isMap, isScalar, isSeq, stringify } from 'yaml'
import type { Change, Key } from '../injector/changes.ts'
import { addToFlow } from './flow.ts'
import { type TextEdit, UneditableError, indented, lineEnd, lineStart } from './text-edit.ts'
import { type YamlTree, columnOf, contentEnd, isFlow, nodeAt, rangeOf } from './yaml-node.ts'

export interface EditedDocument extends YamlTree {
  readonly source: string
  /** True if lists stand further to the right than the key they belong to. */
  readonly hasIndentedLists: boolean
}

/** The edits that make the changes below `root`. Throws `UneditableError` where that is not safe. */
export function editsFor(
  target: EditedDocument,
  root: readonly Key[],
  changes: readonly Change[],
): TextEdit[] {
  const replacements = changes.filter(({ op }) => op === 'replace')
  const additions = Map.groupBy(
    changes.filter(({ op }) => op === 'add'),
    ({ parent, at }) => JSON.stringify([parent, typeof at === 'number' ? at : 'members']),
  )
  const edits = [
    ...replacements.flatMap((change) => replace(target, root, change)),
    ...[...additions.values()].map((group) => add(target, root, group)),
  ]
  // Line breaks as in the text around.
  const isCrlf = target.source.includes('\r\n')
  return isCrlf ? edits.map((edit) => ({ ...edit, text: crlf(edit.text) })) : edits
}

/** Additions to one collection, in one place. */
function add(target: EditedDocument, root: readonly Key[], group: readonly Change[]): TextEdit {
  const [first] = group
  if (first === undefined) throw new UneditableError('there is nothing to add')
  const { node, key } = nodeAt(target, [...root, ...first.parent])
  if (!isMap(node) && !isSeq(node)) {
    throw new UneditableError(`${[...root, ...first.parent].join('.')} is no collection`)
  }
  if (isFlow(node)) return addToFlow(target.source, node, group)
  const value = isSeq(node)
    ? group.map((change) => change.value)
    : Object.fromEntries(group.map((change) => [change.at, change.value]))
  const text = indented(block(target, value), columnOf(node))
  return insertLines(target.source, lineFor(target.source, node, key, first.at), text)
}

/** The offset of the line start at which new elements or members belong. */
function lineFor(source: string, node: YAMLMap | YAMLSeq, key: Node | undefined, at: Key): number {
  if (isMap(node)) return afterContent(source, contentEnd(node), columnOf(node))
  if (at === 0) return afterKey(source, key)
  return afterContent(source, contentEnd(itemOf(node, Number(at) - 1)), columnOf(node) + 1)
}

function itemOf(node: YAMLSeq, index: number): Node {
  const item = node.items[index]
  if (!isMap(item)) throw new UneditableError('a list holds something else than objects')
  return item
}

/** Behind the line in which the content ends, and behind the comment lines that belong to it. */
function afterContent(source: string, end: number, column: number): number {
  let at = end > 0 && source[end - 1] === '\n' ? end : endOfItsLine(source, end)
  while (/^ *#/.test(source.slice(at, lineEnd(source, at)))) {
    if (source.indexOf('#', at) - at < column) break
    at = lineEnd(source, at)
  }
  return at
}

/** Behind the line of a list's key: in front of the comments of its first element. */
function afterKey(source: string, key: Node | undefined): number {
  if (key === undefined) throw new UneditableError('a list has no key')
  const [, end] = rangeOf(key)
  const colon = source.indexOf(':', end)
  return endOfItsLine(source, colon + 1)
}

/** Behind the line's end. Only blanks and a comment may be left in the line. */
function endOfItsLine(source: string, offset: number): number {
  const end = lineEnd(source, offset)
  if (!/^[ \t]*(?:#.*)?\r?\n?$/.test(source.slice(offset, end))) {
    const line = source.slice(lineStart(source, offset), end).trim()
    throw new UneditableError(`nothing can be added behind ${JSON.stringify(line)}`)
  }
  return end
}

function insertLines(source: string, at: number, text: string): TextEdit {
  const isUnended = at === source.length && at > 0 && source[at - 1] !== '\n'
  return { start: at, end: at, text: isUnended ? `\n${text.trimEnd()}` : text }
}

/** A value in the place of another one. */
function replace(target: EditedDocument, root: readonly Key[], change: Change): TextEdit[] {
  const { source } = target
  const { node: parent } = nodeAt(target, [...root, ...change.parent])
  const { node, key } = nodeAt(target, [...root, ...change.parent, change.at])
  const [start, end] = rangeOf(node)
  if (isFlow(parent)) return [{ start, end, text: JSON.stringify(change.value) }]
  if (isEmpty(source.slice(start, end)) && key !== undefined && isMap(parent)) {
    return fill(target, parent, key, [start, end], change.value)
  }
  if (isFlow(node) || isQuoted(node)) {
    return [{ start, end, text: JSON.stringify(change.value) }]
  }
  const column = start - lineStart(source, start)
  const text = indented(block(target, change.value), column).trim()
  const last = contentEnd(node)
  return [{ start, end: source[last - 1] === '\n' ? last - 1 : last, text }]
}

function isQuoted(node: Node): boolean {
  return isScalar(node) && (node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE')
}

/** `key:`, `key: []` and `key: {}` get their value in lines of their own. */
function fill(
  target: EditedDocument,
  parent: YAMLMap,
  key: Node,
  [start, end]: readonly [number, number],
  value: unknown,
): TextEdit[] {
  const { source, hasIndentedLists } = target
  const column = columnOf(parent) + (Array.isArray(value) && !hasIndentedLists ? 0 : 2)
  const colon = source.indexOf(':', rangeOf(key)[1])
  const at = endOfItsLine(source, end)
  // Where there is no value, what stands behind the key is the blank that a comment needs.
  const emptied = start === end ? [] : [{ start: Math.min(start, colon + 1), end, text: '' }]
  return [...emptied, insertLines(source, at, indented(block(target, value), column))]
}

function isEmpty(text: string): boolean {
  return ['', '~', 'null', 'Null', 'NULL', '[]', '{}'].includes(text)
}

/** YAML that readers of YAML 1.1, such as kubectl, read in the same way. */
function block({ hasIndentedLists }: EditedDocument, value: unknown): string {
  return stringify(value, {
    aliasDuplicateObjects: false,
    compat: 'yaml-1.1',
    indentSeq: hasIndentedLists,
    lineWidth: 0,
  })
}

function crlf(text: string): string {
  return text.replaceAll(/\r?\n/g, '\r\n')
}
