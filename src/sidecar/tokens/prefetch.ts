/** Prefetching: the first exchanges of resources whose tokens are kept refreshed whether or not callers ask for them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createSemaphore } from '../../lib/semaphore.ts'
import type { Entry } from './cache-entry.ts'
import type { EntryStore } from './entry-store.ts'
import type { Exchanges } from './exchanges.ts'

/** First exchanges of prefetched keys that are made at the same time. */
const MAX_PREFETCHING = 16
/** Before an exchange that found no capacity is tried again. */
const PREFETCH_PAUSE_MS = 1000

/** Prefetches these entries and no others. Resolves when each has been attempted once. */
export async function prefetch(
  entries: readonly Entry[],
  store: EntryStore,
  exchanges: Exchanges,
): Promise<void> {
  const wanted = new Set(entries)
  for (const entry of store.all()) {
    if (entry.isPrefetched && !wanted.has(entry)) store.setPrefetched(entry, false)
  }
  for (const entry of wanted) {
    store.setPrefetched(entry, true)
    if (!entry.isEmpty && exchanges.find(entry) === undefined) exchanges.schedule(entry)
  }
  const limit = createSemaphore({ maxConcurrent: MAX_PREFETCHING })
  await Promise.all([...wanted].map((entry) => limit(() => attempt(entry, store, exchanges))))
}

/** Makes the first exchange of a prefetched entry, again while it finds no capacity. Others are scheduled. */
async function attempt(entry: Entry, store: EntryStore, exchanges: Exchanges): Promise<void> {
  const isPending = () =>
    store.peek(entry.key) === entry &&
    entry.isPrefetched &&
    (entry.isEmpty || entry.failure?.error.code === 'overloaded')
  while (isPending()) {
    // A failure is recorded in the entry, and is retried.
    await exchanges.start(entry, { isBackground: false }).token.catch(() => {})
    if (isPending()) await sleep(PREFETCH_PAUSE_MS, undefined, { ref: false })
  }
}
