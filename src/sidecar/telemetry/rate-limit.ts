/** Limits how often one kind of log line is written, and counts the lines that it drops. */

const WINDOW_MS = 10_000
/** Lines of one key that are allowed within a window. */
const BURST = 10
/** Keys in a window. Callers may choose some of them. */
const MAX_KEYS = 50
/** The key that all further ones share. */
const OTHER = 'other'

/**
 * Creates a rate limit: a function that returns whether a line of this key may be written now. `onDropped` is called at
 * the end of a window in which lines of the key were dropped.
 */
export function createRateLimit(
  onDropped: (key: string, count: number) => void,
): (key: string) => boolean {
  const counts = new Map<string, number>()
  return (given) => {
    const key = counts.has(given) || counts.size < MAX_KEYS ? given : OTHER
    const count = counts.get(key)
    counts.set(key, (count ?? 0) + 1)
    if (count === undefined) {
      setTimeout(() => {
        const dropped = (counts.get(key) ?? 0) - BURST
        counts.delete(key)
        if (dropped > 0) onDropped(key, dropped)
      }, WINDOW_MS).unref()
    }
    return (count ?? 0) < BURST
  }
}
