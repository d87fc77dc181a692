/** Makes texts of others and lists fit for error messages and terminals. */
import { scrubAndTruncate } from './secret.ts'

/**
 * Returns at most `maxLength` characters of the text: printable ASCII without quotes and angle brackets, and
 * without anything that may be a token.
 */
export function printable(text: string, maxLength = 200): string {
  return scrubAndTruncate(text, maxLength).replace(/[^\x21-\x7e]|["'<>`\\]/g, '?')
}

/** Returns the text with its lines joined, without characters that control a terminal or the order of others. */
export function toLine(text: string): string {
  return text.replaceAll(/[\r\n\u2028\u2029]\s*/g, ' ').replaceAll(/[\p{Cc}\p{Cf}]/gu, '?')
}

/** The most values that a sentence names. */
const MAX_NAMED = 3

/** Returns the first `max` items, and then how many more there are, such as `and 3 more`. */
export function firstItems(items: readonly string[], max = MAX_NAMED): string[] {
  const rest = items.length - max
  return [...items.slice(0, max), ...(rest > 0 ? [`and ${rest} more`] : [])]
}

/** Returns the texts; a false one stands for a condition that does not hold. */
export function listFound(...texts: readonly (string | false)[]): string[] {
  return texts.filter((text) => text !== false)
}
