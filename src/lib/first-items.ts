/** Shortens lists for messages. */

/** As many as a sentence can name. */
const MAX_NAMED = 3

/** Returns the first `max` items, and then how many more there are, such as `and 3 more`. */
export function firstItems(items: readonly string[], max = MAX_NAMED): string[] {
  const rest = items.length - max
  return [...items.slice(0, max), ...(rest > 0 ? [`and ${rest} more`] : [])]
}
