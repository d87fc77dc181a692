/**
 * Edits a YAML file as text, so that comments, order and quotes survive: `yaml-edits.ts` finds what to replace, and every
 * byte outside of it is kept.
 */
import { isNode, isPair, type YAMLMap, type YAMLSeq } from 'yaml'
import { asNode, getRange } from './yaml-nodes.ts'

export interface TextEdit {
  /** Offsets into the original text; equal for an insertion. */
  readonly start: number
  readonly end: number
  readonly text: string
}

/** Returns the text with the edits applied. Edits at one offset are applied in the order given. */
export function applyEdits(source: string, edits: readonly TextEdit[]): string {
  const sorted = edits.toSorted((one, other) => one.start - other.start || one.end - other.end)
  const parts: string[] = []
  let at = 0
  for (const { start, end, text } of sorted) {
    parts.push(source.slice(at, start), text)
    at = end
  }
  return parts.join('') + source.slice(at)
}

/** Indents every line that is not empty. */
export function indent(text: string, columns: number): string {
  return text.replaceAll(/^(?=.)/gm, ' '.repeat(columns))
}

/** Returns the offset of the first character of the line. */
export function findLineStart(source: string, offset: number): number {
  return source.lastIndexOf('\n', offset - 1) + 1
}

/** Returns the offset after the line's line break, or the end of the text. */
export function findLineEnd(source: string, offset: number): number {
  const end = source.indexOf('\n', offset)
  return end === -1 ? source.length : end + 1
}

/**
 * Adds to a collection in brackets or braces (JSON, and the flow style of YAML), over several lines if it
 * is written so.
 */
export function addToFlow(
  source: string,
  node: YAMLMap | YAMLSeq,
  index: number,
  added: readonly { readonly key?: string; readonly value: unknown }[],
): TextEdit {
  const [open] = getRange(node)
  const { separator, print } = findFlowLayout(source, node)
  const list = added
    .map(({ key, value }) => (key === undefined ? '' : `${JSON.stringify(key)}: `) + print(value))
    .join(`,${separator}`)
  if (index > 0) {
    const start = findFlowItemEnd(node.items[index - 1])
    return { start, end: start, text: `,${separator}${list}` }
  }
  const comma = node.items.length > 0 ? ',' : ''
  const isOnOneLine = separator === ' '
  const text = isOnOneLine ? `${list}${comma}${comma && ' '}` : `${separator}${list}${comma}`
  return { start: open + 1, end: open + 1, text }
}

/**
 * Removes some items, not all, of a collection in brackets or braces, with the comma and the blank
 * that `addToFlow` writes.
 */
export function removeFromFlow(
  source: string,
  node: YAMLMap | YAMLSeq,
  indexes: readonly number[],
): TextEdit[] {
  const removed = new Set(indexes)
  const firstKept = node.items.findIndex((_, index) => !removed.has(index))
  const others = [...removed]
    .filter((index) => index > firstKept)
    .map((index) => ({
      start: findFlowItemEnd(node.items[index - 1]),
      end: findFlowItemEnd(node.items[index]),
      text: '',
    }))
  if (firstKept <= 0) return others
  const comma = source.indexOf(',', findFlowItemEnd(node.items[firstKept - 1]))
  const end = source[comma + 1] === ' ' ? comma + 2 : comma + 1
  return [{ start: getRange(node)[0] + 1, end, text: '' }, ...others]
}

interface FlowLayout {
  /** The text between a comma and the next element. */
  readonly separator: string
  readonly print: (value: unknown) => string
}

function findFlowLayout(source: string, node: YAMLMap | YAMLSeq): FlowLayout {
  const [open] = getRange(node)
  const first = findFlowItemStart(node.items[0])
  const isOnOneLine = first === undefined || !source.slice(open, first).includes('\n')
  if (isOnOneLine) return { separator: ' ', print: (value) => JSON.stringify(value) }
  const column = first - findLineStart(source, first)
  const outer = findLineStart(source, open)
  const step = column - (/^ */.exec(source.slice(outer))?.[0].length ?? 0)
  const separator = `\n${source.slice(findLineStart(source, first), first)}`
  const print = (value: unknown) =>
    JSON.stringify(value, null, Math.max(step, 1)).replaceAll('\n', separator)
  return { separator, print }
}

function findFlowItemStart(item: unknown): number | undefined {
  const node = isPair(item) ? item.key : item
  return isNode(node) ? getRange(node)[0] : undefined
}

function findFlowItemEnd(item: unknown): number {
  return getRange(asNode(isPair(item) ? (item.value ?? item.key) : item))[1]
}
