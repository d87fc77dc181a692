/** Parses whole numbers. */

/** Ports that a program can listen on. */
export const PORTS = { min: 1, max: 65_535 }

interface Range {
  readonly min: number
  readonly max: number
}

/** Returns the number if the text is decimal digits, and nothing else, of a number in the range. */
export function parseWholeNumber(text: string, { min, max }: Range): number | undefined {
  const value = Number(text)
  return /^\d+$/.test(text) && value >= min && value <= max ? value : undefined
}

/**
 * Returns the number of a flag or variable; undefined if it is not given. Also returns undefined, and adds a problem
 * to the list, if it is not valid. Unlike the schemas of settings it does without zod, which takes time to load.
 */
export function parseNumberOption(
  text: string | undefined,
  name: string,
  range: Range,
  problems: string[],
): number | undefined {
  if (text === undefined) return undefined
  const value = parseWholeNumber(text, range)
  if (value === undefined) {
    problems.push(
      `${name} must be a whole number from ${range.min} to ${range.max}, not ${JSON.stringify(text)}`,
    )
  }
  return value
}
