/** Checks texts against the grammars of numbers and ids. */

const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Returns true for a GUID in its hyphenated form, in any case. */
export function isGuid(text: string): boolean {
  return GUID.test(text)
}

export interface NumberRange {
  readonly min: number
  readonly max: number
}

/** Returns the number if the text is decimal digits, and nothing else, of a number in the range. */
export function parseWholeNumber(text: string, { min, max }: NumberRange): number | undefined {
  const value = Number(text)
  return /^\d+$/.test(text) && value >= min && value <= max ? value : undefined
}
