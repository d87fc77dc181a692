/** What edits change in a text, as a unified diff that `patch` can apply. */
import { type TextEdit, lineEnd, lineStart, sorted } from './text-edit.ts'

const CONTEXT_LINES = 3

/** Lines `from` (from 0) up to `to` of the old text, and what stands in their place. */
interface Chunk {
  readonly from: number
  readonly to: number
  readonly added: readonly string[]
}

/** The diff of one file; empty if there are no edits. */
export function unifiedDiff(name: string, source: string, edits: readonly TextEdit[]): string {
  if (edits.length === 0) return ''
  const lines = linesOf(source)
  const hunks = hunksOf(chunksOf(source, edits))
  let shift = 0
  const texts = hunks.map((chunks) => {
    const text = hunkText(lines, chunks, shift)
    shift += chunks.reduce((sum, { from, to, added }) => sum + added.length - (to - from), 0)
    return text
  })
  const shown = shownName(name)
  return [`--- ${shown}\n+++ ${shown}\n`, ...texts].join('')
}

/** As git writes it: a name with blanks ends in a tab, and what would break the line is quoted. */
function shownName(name: string): string {
  if (/["\\\t\r\n]/.test(name)) return JSON.stringify(name)
  return name.includes(' ') ? `${name}\t` : name
}

/** Whole lines; edits that touch the same lines become one chunk. */
function chunksOf(source: string, edits: readonly TextEdit[]): Chunk[] {
  const spans: { start: number; end: number; text: string }[] = []
  for (const { start, end, text } of sorted(edits)) {
    const from = lineStart(source, start)
    const isWholeLines = start === from && end === start && !isInsideLine(source, start, text)
    const to = isWholeLines ? from : lineEnd(source, Math.max(end - 1, start))
    const last = spans.at(-1)
    if (last !== undefined && from < last.end) {
      // The end of the last span is old text, which this edit goes into.
      const kept = last.text.length - (last.end - start)
      const behind = end <= last.end ? last.text.slice(kept + (end - start)) : source.slice(end, to)
      spans.splice(-1, 1, {
        start: last.start,
        end: Math.max(last.end, to),
        text: last.text.slice(0, kept) + text + behind,
      })
    } else {
      const replaced = source.slice(from, start) + text + source.slice(end, to)
      spans.push({ start: from, end: to, text: replaced })
    }
  }
  let from = 0
  let at = 0
  return spans.map(({ start, end, text }) => {
    from += linesOf(source.slice(at, start)).length
    at = start
    return trimmed(linesOf(source.slice(start, end)), linesOf(text), from)
  })
}

/** True if the text goes into a line rather than between two. */
function isInsideLine(source: string, at: number, text: string): boolean {
  return !text.endsWith('\n') && at < source.length
}

/** Without the equal lines at both ends. */
function trimmed(old: readonly string[], now: readonly string[], from: number): Chunk {
  let head = 0
  while (head < Math.min(old.length, now.length) && old[head] === now[head]) head++
  let tail = 0
  const most = Math.min(old.length, now.length) - head
  while (tail < most && old.at(-1 - tail) === now.at(-1 - tail)) tail++
  return {
    from: from + head,
    to: from + old.length - tail,
    added: now.slice(head, now.length - tail),
  }
}

/** Chunks whose context would touch belong to one hunk. */
function hunksOf(chunks: readonly Chunk[]): Chunk[][] {
  const hunks: Chunk[][] = []
  for (const chunk of chunks) {
    const hunk = hunks.at(-1)
    const last = hunk?.at(-1)
    if (hunk && last && chunk.from - last.to <= 2 * CONTEXT_LINES) hunk.push(chunk)
    else hunks.push([chunk])
  }
  return hunks
}

function hunkText(lines: readonly string[], chunks: readonly Chunk[], shift: number): string {
  const from = Math.max((chunks[0]?.from ?? 0) - CONTEXT_LINES, 0)
  const to = Math.min((chunks.at(-1)?.to ?? 0) + CONTEXT_LINES, lines.length)
  const body: string[] = []
  let at = from
  for (const chunk of chunks) {
    body.push(...marked(' ', lines.slice(at, chunk.from)))
    body.push(...marked('-', lines.slice(chunk.from, chunk.to)), ...marked('+', chunk.added))
    at = chunk.to
  }
  body.push(...marked(' ', lines.slice(at, to)))
  const added = chunks.reduce((sum, each) => sum + each.added.length - (each.to - each.from), 0)
  const old = range(from, to - from)
  const now = range(from + shift, to - from + added)
  return `@@ -${old} +${now} @@\n${body.join('')}`
}

/** Line numbers count from 1; an empty range names the line before it. */
function range(from: number, count: number): string {
  return `${count === 0 ? from : from + 1},${count}`
}

function marked(mark: string, lines: readonly string[]): string[] {
  return lines.map((line) =>
    line.endsWith('\n') ? mark + line : `${mark}${line}\n\\ No newline at end of file\n`,
  )
}

/** The lines, each with its line break. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? []
}
