/** Where the entries of the cache are: bounded, and apart by what a flood may push out. */
import { LRUCache } from 'lru-cache'
import type { Entry } from './entry.ts'
import { segmented } from './segmented.ts'

/** Every key has at most one entry, in one of the places below. */
export interface EntryStore {
  readonly find: (key: string) => Entry | undefined
  /** Puts an entry where its state belongs; it leaves where it was. */
  readonly put: (entry: Entry) => void
  readonly forget: (entry: Entry) => void
  /** All entries; of those in one place, what would go first comes last. */
  readonly all: () => Entry[]
  readonly clear: () => void
}

/**
 * Holds at most `max` tokens and `max` refusals; the least recently used goes first, and `onEvict`
 * is told. Tokens are apart from refusals, so that a flood of requests that Entra ID refuses pushes no
 * token out; tokens that were asked for again outlive those that were not, so that one of requests that
 * succeed pushes out none that is in use; and entries that are kept warm are apart from both: their
 * number is configured. An entry whose exchange is under way is found until it ends, wherever it was.
 */
export function entryStore(max: number, onEvict: (entry: Entry) => void): EntryStore {
  const warm = new Map<string, Entry>()
  const held = segmented(max, onEvict)
  const refused = new LRUCache<string, Entry>({
    max,
    dispose: (entry, _key, reason) => {
      if (reason === 'evict') onEvict(entry)
    },
  })
  const underway = new Map<string, Entry>()

  function put(entry: Entry): void {
    const { key } = entry
    if (entry.flight === undefined) underway.delete(key)
    else underway.set(key, entry)
    const place = placeOf(entry)
    for (const other of [warm, held, refused]) if (other !== place) other.delete(key)
    place?.set(key, entry)
  }

  function placeOf({ isLetGo, keepWarm, token, failure }: Entry) {
    if (isLetGo) return undefined
    if (keepWarm) return warm
    if (token !== undefined) return held
    return failure === undefined ? undefined : refused
  }

  function forget({ key }: Entry): void {
    for (const place of [warm, held, refused, underway]) place.delete(key)
  }

  function all(): Entry[] {
    const entries = [warm, held, refused, underway].flatMap((place) => [...place.values()])
    return [...new Set(entries)]
  }

  return {
    find: (key) => held.get(key) ?? warm.get(key) ?? underway.get(key) ?? refused.get(key),
    put,
    forget,
    all,
    clear: () => {
      for (const place of [warm, held, refused, underway]) place.clear()
    },
  }
}
