/** A bounded memory that a scan does not empty: a segmented LRU cache. */
import { LRUCache } from 'lru-cache'

export interface Segmented<V> {
  readonly get: (key: string) => V | undefined
  readonly set: (key: string, value: V) => void
  readonly delete: (key: string) => void
  readonly clear: () => void
  /** What would go first comes last. */
  readonly values: () => V[]
}

/** So much of the room may be taken by what was found again. */
const KEPT_SHARE = 3 / 4

/**
 * Holds at most `max` values. What was never found again goes first, the least recently used before the
 * others, so that whoever sets many once pushes out none that others come back for. A quarter of the
 * room is always open to new values: those found again that need it join the new ones. `onEvict` is told
 * of what is pushed out.
 */
export function segmented<V extends { readonly key: string }>(
  max: number,
  onEvict: (value: V) => void,
): Segmented<V> {
  const mostKept = Math.floor(max * KEPT_SHARE)
  const kept = new LRUCache<string, V>({ max })
  const unproven = new LRUCache<string, V>({
    max,
    dispose: (value, _key, reason) => {
      if (reason === 'evict') onEvict(value)
    },
  })

  function get(key: string): V | undefined {
    const held = kept.get(key)
    if (held !== undefined) return held
    const found = unproven.get(key)
    if (found !== undefined) keep(key, found)
    return found
  }

  function keep(key: string, value: V): void {
    unproven.delete(key)
    kept.set(key, value)
    const leastUsed = kept.size > mostKept ? kept.pop() : undefined
    if (leastUsed !== undefined) unproven.set(leastUsed.key, leastUsed)
  }

  function set(key: string, value: V): void {
    if (kept.has(key)) kept.set(key, value)
    else unproven.set(key, value)
    if (kept.size + unproven.size > max) unproven.pop()
  }

  return {
    get,
    set,
    delete: (key) => {
      kept.delete(key)
      unproven.delete(key)
    },
    clear: () => {
      kept.clear()
      unproven.clear()
    },
    values: () => [...kept.values(), ...unproven.values()],
  }
}
