/** Parses a text once: an application asks for its token in the same words each time. */
import { LRUCache } from 'lru-cache'

/** Texts that are remembered, and how long they may be: a flood of others only costs their parsing. */
const MAX_TEXTS = 128
const MAX_LENGTH = 1024

/**
 * The pure function `parse` with a bounded memory; what it throws is not remembered. Parsing is a
 * tenth of what a cached token costs.
 */
export function remembering<T extends object>(parse: (text: string) => T): (text: string) => T {
  const parsed = new LRUCache<string, T>({ max: MAX_TEXTS })
  // The text that came last is compared, which costs less than to hash it for a look-up.
  let last: { readonly text: string; readonly value: T } | undefined

  function recalled(text: string): T {
    const held = parsed.get(text)
    if (held !== undefined) return held
    const value = parse(text)
    if (text.length <= MAX_LENGTH) parsed.set(text, value)
    return value
  }

  return (text) => {
    if (last?.text !== text) last = { text, value: recalled(text) }
    return last.value
  }
}
