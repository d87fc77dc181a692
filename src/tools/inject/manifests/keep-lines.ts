/** Writes the change of a printed document into its original text, of which the other lines stay as they are. */
import { diffArrays } from 'diff'

/** A line of the changed document. */
interface Line {
  readonly text: string
  /** Its number before the change; undefined: it is new. */
  readonly before: number | undefined
  /** Columns by which the original text has it further to the right; undefined: not known yet. */
  shift?: number | undefined
}

/** Lines of the original text, and the lines that are printed for them. */
interface Segment {
  readonly source: readonly string[]
  readonly start: number
  readonly count: number
}

/**
 * Returns the original text with the change between `before` and `after`: the document as it is printed without and
 * with the change, whose indentation may be another one. The caller checks that it parses to the same value.
 */
export function keepLines(text: string, before: string, after: string): string {
  const sources = text.split('\n')
  const printed = before.split('\n')
  const segments = align(sources, printed)
  const lines = compare(printed, after.split('\n'))
  const positions = new Map(lines.map((line, index) => [line.before, index]))
  for (const { source, start, count } of segments) {
    const line = lines[positions.get(start) ?? -1]
    const [only] = source
    if (line !== undefined && only !== undefined && source.length === 1 && count === 1) {
      line.shift = countIndent(only) - countIndent(line.text)
    }
  }
  const result: string[] = []
  const eol = text.includes('\r\n') ? '\r' : ''
  let next = 0
  const write = (end: number) => {
    for (; next < end; next += 1) result.push(indent(lines, next) + eol)
  }
  for (const { source, start, count } of segments) {
    const kept = Array.from({ length: count }, (_, index) => positions.get(start + index) ?? -1)
    const [first = next] = kept
    const isIntact = kept.every((position, index) => position >= 0 && position === first + index)
    if (isIntact) {
      write(first)
      result.push(...source)
      next += count
    } else {
      write(Math.max(next, ...kept.map((position) => position + 1)))
    }
  }
  write(lines.length)
  const joined = result.join('\n')
  return text.endsWith('\n') ? joined : joined.trimEnd()
}

/** Aligns the two by their lines without indentation: a segment for each common line, and one for what differs between. */
function align(sources: readonly string[], printed: readonly string[]): Segment[] {
  const [trimmedSources, trimmedPrinted] = [sources, printed].map((lines) =>
    lines.map((line) => line.trim()),
  )
  const segments: Segment[] = []
  let [source, start] = [0, 0]
  let [other, count]: [string[], number] = [[], 0]
  const end = () => {
    if (other.length + count > 0) segments.push({ source: other, start: start - count, count })
    other = []
    count = 0
  }
  for (const { added, removed, value } of diffArrays(trimmedSources ?? [], trimmedPrinted ?? [])) {
    for (const _ of value) {
      if (added) {
        start += 1
        count += 1
      } else if (removed) {
        other.push(sources[source++] ?? '')
      } else {
        end()
        segments.push({ source: [sources[source++] ?? ''], start: start++, count: 1 })
      }
    }
  }
  end()
  return segments
}

/** Returns the lines after a change, with their numbers before it. */
function compare(before: readonly string[], after: readonly string[]): Line[] {
  let number = 0
  return diffArrays([...before], [...after]).flatMap(({ added, removed, value }) => {
    if (added) return value.map((text) => ({ text, before: undefined }))
    const first = number
    number += value.length
    return removed ? [] : value.map((text, index): Line => ({ text, before: first + index }))
  })
}

function countIndent(line: string): number {
  return line.length - line.trimStart().length
}

/** Returns a line with the indentation that it has beside the original ones. */
function indent(lines: readonly Line[], index: number): string {
  const line = lines[index]
  if (line === undefined || line.text.trim() === '') return ''
  line.shift ??= findShift(lines, index, line.text)
  const shifted = countIndent(line.text) + line.shift
  return ' '.repeat(Math.max(0, shifted)) + line.text.trimStart()
}

/** Finds the shift of a sibling above, or else below, or else of the parent. */
function findShift(lines: readonly Line[], index: number, text: string): number {
  const column = countIndent(text)
  const isItem = isSequenceItem(text)
  const isSibling = (each: string) =>
    countIndent(each) === column && isSequenceItem(each) === isItem
  const isOutside = (each: string) => countIndent(each) <= column && !isSibling(each)
  const find = (range: readonly Line[]) =>
    range.find(
      (each) =>
        each.text.trim() !== '' &&
        (isOutside(each.text) || (isSibling(each.text) && each.shift !== undefined)),
    )
  const above = find(lines.slice(0, index).toReversed())
  if (above !== undefined && isSibling(above.text)) return above.shift ?? 0
  const below = find(lines.slice(index + 1))
  if (below !== undefined && isSibling(below.text)) return below.shift ?? 0
  return above?.shift ?? 0
}

function isSequenceItem(line: string): boolean {
  return /^\s*- /.test(line)
}
