/** The entries of the token cache by key. Prefetched ones stay; of the others the least recently used is evicted. */
import { LRUCache } from 'lru-cache'
import type { Entry } from './cache-entry.ts'

export class EntryStore {
  readonly #prefetched = new Map<string, Entry>()
  readonly #others: LRUCache<string, Entry>

  /** `maxEntries` does not count the prefetched ones. */
  constructor(maxEntries: number) {
    this.#others = new LRUCache({
      max: maxEntries,
      dispose: (entry) => {
        // Otherwise it moves to the prefetched ones.
        if (!entry.isPrefetched) entry.clearTimer()
      },
    })
  }

  /** Returns the entry of a key, and counts as a use of it. */
  use(key: string): Entry | undefined {
    return this.#prefetched.get(key) ?? this.#others.get(key)
  }

  /** Returns the entry of a key. */
  peek(key: string): Entry | undefined {
    return this.#prefetched.get(key) ?? this.#others.peek(key)
  }

  /** Adds an entry, unless it is there already. */
  add(entry: Entry): void {
    if (this.peek(entry.key) === undefined) this.#others.set(entry.key, entry)
  }

  /** Sets whether the entry is prefetched. Adds it if it is not there. */
  setPrefetched(entry: Entry, isPrefetched: boolean): void {
    entry.isPrefetched = isPrefetched
    if (isPrefetched) {
      this.#prefetched.set(entry.key, entry)
      this.#others.delete(entry.key)
    } else {
      this.#prefetched.delete(entry.key)
      this.#others.set(entry.key, entry)
    }
  }

  /** Removes an entry, and stops its timer. */
  remove(entry: Entry): void {
    if (this.#prefetched.delete(entry.key)) entry.clearTimer()
    else this.#others.delete(entry.key)
  }

  /** Returns all entries, the prefetched ones first. */
  all(): readonly Entry[] {
    return [...this.#prefetched.values(), ...this.#others.values()]
  }
}
