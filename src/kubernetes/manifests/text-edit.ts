/** Edits of a text: what is not named by one stays as it is, byte for byte. */

export interface TextEdit {
  /** Offsets into the text as it was; the same for an insertion. */
  readonly start: number
  readonly end: number
  readonly text: string
}

/** A change that cannot be written into the text without touching something else. */
export class UneditableError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UneditableError'
  }
}

/** The edits in the order of the text; those of one place stay in the order given. */
export function sorted(edits: readonly TextEdit[]): TextEdit[] {
  return edits.toSorted((one, other) => one.start - other.start || one.end - other.end)
}

/** The text with the edits made. */
export function applyEdits(source: string, edits: readonly TextEdit[]): string {
  const { text, at } = sorted(edits).reduce(
    (done, { start, end, text: added }) => ({
      text: done.text + source.slice(done.at, start) + added,
      at: end,
    }),
    { text: '', at: 0 },
  )
  return text + source.slice(at)
}

/** Every line but an empty one moved to the right. */
export function indented(text: string, columns: number): string {
  return text.replaceAll(/^(?=.)/gm, ' '.repeat(columns))
}

/** Offset of the first character of the line that `offset` is in. */
export function lineStart(source: string, offset: number): number {
  return source.lastIndexOf('\n', offset - 1) + 1
}

/** Offset behind the line break of the line that `offset` is in, or the end of the text. */
export function lineEnd(source: string, offset: number): number {
  const end = source.indexOf('\n', offset)
  return end === -1 ? source.length : end + 1
}
