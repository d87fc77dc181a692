/** Parses whole numbers. */

interface Range {
  readonly min: number
  readonly max: number
}

/** Returns the number if the text is decimal digits, and nothing else, of a number in the range. */
export function parseWholeNumber(text: string, { min, max }: Range): number | undefined {
  const value = Number(text)
  return /^\d+$/.test(text) && value >= min && value <= max ? value : undefined
}
