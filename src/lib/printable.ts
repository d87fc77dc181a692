/** Makes text of a caller fit for error messages. */
import { scrubAndTruncate } from '../secret.ts'

/**
 * Returns at most `maxLength` characters of the text: printable ASCII without quotes and angle brackets, and
 * without anything that may be a token.
 */
export function printable(text: string, maxLength = 200): string {
  return scrubAndTruncate(text, maxLength).replace(/[^\x21-\x7e]|["'<>`\\]/g, '?')
}
