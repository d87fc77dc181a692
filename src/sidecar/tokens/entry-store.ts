/** The entries of the token cache by key. Prefetched ones stay; of the others the least recently used is evicted. */
import { LRUCache } from 'lru-cache'
import type { Entry } from './cache-entry.ts'

interface EntryStore {
  /** Returns the entry of a key, and counts as a use of it. */
  readonly use: (key: string) => Entry | undefined
  /** Returns the entry of a key. */
  readonly peek: (key: string) => Entry | undefined
  /** Adds an entry, unless it is there already. */
  readonly add: (entry: Entry) => void
  /** Sets whether the entry is prefetched. Adds it if it is not there. */
  readonly setPrefetched: (entry: Entry, isPrefetched: boolean) => void
  readonly remove: (entry: Entry) => void
  /** Returns all entries, the prefetched ones first. */
  readonly all: () => readonly Entry[]
}

interface EntryStoreOptions {
  /** Entries at most, other than prefetched ones. */
  readonly maxEntries: number
  /** Called with each entry that is removed or evicted. */
  readonly onRemove: (entry: Entry) => void
}

export function createEntryStore({ maxEntries, onRemove }: EntryStoreOptions): EntryStore {
  const prefetched = new Map<string, Entry>()
  const others = new LRUCache<string, Entry>({
    max: maxEntries,
    dispose: (entry) => {
      // Otherwise it moves to the prefetched ones.
      if (!entry.isPrefetched) onRemove(entry)
    },
  })

  return { use, peek, add, setPrefetched, remove, all }

  function use(key: string): Entry | undefined {
    return prefetched.get(key) ?? others.get(key)
  }

  function peek(key: string): Entry | undefined {
    return prefetched.get(key) ?? others.peek(key)
  }

  function add(entry: Entry): void {
    if (peek(entry.key) === undefined) others.set(entry.key, entry)
  }

  function setPrefetched(entry: Entry, isPrefetched: boolean): void {
    entry.isPrefetched = isPrefetched
    if (isPrefetched) {
      prefetched.set(entry.key, entry)
      others.delete(entry.key)
    } else {
      prefetched.delete(entry.key)
      others.set(entry.key, entry)
    }
  }

  function remove(entry: Entry): void {
    if (prefetched.delete(entry.key)) onRemove(entry)
    else others.delete(entry.key)
  }

  function all(): readonly Entry[] {
    return [...prefetched.values(), ...others.values()]
  }
}
