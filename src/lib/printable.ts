/** Prepares foreign texts and long lists for error messages and terminals. */
import { scrubAndTruncate } from './secret.ts'

/**
 * Returns at most `maxLength` characters of the text, without anything that may be a token. Blanks, quotes, backslashes, angle
 * brackets and all characters outside printable ASCII become `?`.
 */
export function printable(text: string, maxLength = 200): string {
  return scrubAndTruncate(text, maxLength).replace(/[^\x21-\x7e]|["'<>`\\]/g, '?')
}

/** Returns the text on one line. Characters that control a terminal or the direction of text become `?`. */
export function toLine(text: string): string {
  return text.replaceAll(/[\r\n\u2028\u2029]\s*/g, ' ').replaceAll(/[\p{Cc}\p{Cf}]/gu, '?')
}

/** The maximum number of values in a sentence. */
const MAX_NAMED = 3

/** Returns the first `max` items, and then how many more there are, such as `and 3 more`. */
export function firstItems(items: readonly string[], max = MAX_NAMED): string[] {
  const rest = items.length - max
  return [...items.slice(0, max), ...(rest > 0 ? [`and ${rest} more`] : [])]
}

/** Returns the texts without `false`, so that a list can have texts with conditions: `isMissing && 'a text'`. */
export function listFound(...texts: readonly (string | false)[]): string[] {
  return texts.filter((text) => text !== false)
}
