/** Parses JSON from outside, which may be malformed. */
import * as z from 'zod/mini'

/** Returns the parsed value; undefined if the text is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Returns a JSON object; undefined if the text is anything else. */
export function parseJsonObject(text: string): Readonly<Record<string, unknown>> | undefined {
  const value = parseJson(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return { ...value }
}

/**
 * Creates the schema of a list. It stops at the first invalid element; zod's own schema would keep a description of each of a
 * million.
 */
export function listOf<T extends z.ZodMiniType>(element: T) {
  return z.custom<z.input<T>[]>(
    (value) => Array.isArray(value) && value.every((each) => element.safeParse(each).success),
  )
}
