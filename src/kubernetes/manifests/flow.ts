/** Additions to a collection in brackets or braces: JSON, and YAML's flow style. */
import { type YAMLMap, type YAMLSeq, isMap, isNode, isPair } from 'yaml'
import type { Change } from '../injector/changes.ts'
import { type TextEdit, UneditableError, lineStart } from './text-edit.ts'
import { rangeOf } from './yaml-node.ts'

/** Adds to one place of the collection; over several lines if that is how it is written. */
export function addToFlow(
  source: string,
  node: YAMLMap | YAMLSeq,
  group: readonly Change[],
): TextEdit {
  const [open] = rangeOf(node)
  const layout = layoutOf(source, node)
  const values = group.map(({ at, value }) => {
    const text = layout.print(value)
    return isMap(node) ? `${JSON.stringify(at)}: ${text}` : text
  })
  const at = group[0]?.at
  const index = isMap(node) ? node.items.length : Number(at)
  const list = values.join(`,${layout.separator}`)
  if (index > 0) {
    const start = endOf(node.items[index - 1])
    return { start, end: start, text: `,${layout.separator}${list}` }
  }
  const comma = node.items.length > 0 ? ',' : ''
  const isOnOneLine = layout.separator === ' '
  const text = isOnOneLine ? `${list}${comma}${comma && ' '}` : `${layout.separator}${list}${comma}`
  return { start: open + 1, end: open + 1, text }
}

interface Layout {
  /** What stands between a comma and the next element. */
  readonly separator: string
  readonly print: (value: unknown) => string
}

function layoutOf(source: string, node: YAMLMap | YAMLSeq): Layout {
  const [open] = rangeOf(node)
  const first = startOf(node.items[0])
  const isOnOneLine = first === undefined || !source.slice(open, first).includes('\n')
  if (isOnOneLine) return { separator: ' ', print: (value) => JSON.stringify(value) }
  const column = first - lineStart(source, first)
  const outer = lineStart(source, open)
  const step = column - (/^ */.exec(source.slice(outer))?.[0].length ?? 0)
  const separator = `\n${source.slice(lineStart(source, first), first)}`
  const print = (value: unknown) =>
    JSON.stringify(value, null, Math.max(step, 1)).replaceAll('\n', separator)
  return { separator, print }
}

function startOf(item: unknown): number | undefined {
  const node = isPair(item) ? item.key : item
  return isNode(node) ? rangeOf(node)[0] : undefined
}

function endOf(item: unknown): number {
  const node = isPair(item) ? (item.value ?? item.key) : item
  if (!isNode(node)) throw new UneditableError('an element of a list is missing')
  return rangeOf(node)[1]
}
