/** Keeps the tokens of WIMDS_PREFETCH in the cache. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createSemaphore } from '../../lib/semaphore.ts'
import type { Entry, EntryStore } from './cache-entry.ts'
import type { Exchanges } from './exchanges.ts'
import type { CacheRequest } from './token.ts'

/** First exchanges that are made at the same time. */
const MAX_PREFETCHING = 16
/** Before an exchange that found no capacity is tried again. */
const PREFETCH_PAUSE_MS = 1000

/**
 * Keeps the tokens of these requests, and of no others, refreshed whether or not callers ask for them;
 * they are never evicted. Resolves when each has been attempted once.
 */
export async function prefetchTokens(
  requests: readonly CacheRequest[],
  store: EntryStore,
  exchanges: Exchanges,
): Promise<void> {
  const wanted = new Map(requests.map((request) => [request.key, request]))
  const limit = createSemaphore({ maxConcurrent: MAX_PREFETCHING })
  const entries = [...wanted.values()].map((request) => {
    const entry = store.use(request)
    entry.request = { identity: request.identity, scope: request.scope }
    store.setPrefetched(entry, true)
    if (!entry.isEmpty && exchanges.find(entry) === undefined) exchanges.schedule(entry)
    return entry
  })
  // Last, since each of these entries may evict another one.
  for (const entry of store.all()) {
    if (entry.isPrefetched && !wanted.has(entry.key)) store.setPrefetched(entry, false)
  }
  await Promise.all(entries.map((entry) => limit(() => prefetchFirst(entry, store, exchanges))))
}

/** Makes the first exchange of a prefetched entry, again while it finds no capacity. Others are scheduled. */
async function prefetchFirst(entry: Entry, store: EntryStore, exchanges: Exchanges): Promise<void> {
  const isPending = () =>
    store.peek(entry.key) === entry &&
    entry.isPrefetched &&
    (entry.isEmpty || entry.failure?.error.code === 'overloaded')
  while (isPending()) {
    // A failure is recorded in the entry, and is retried.
    await exchanges.start(entry, { isUnasked: true }).token.catch(() => {})
    if (isPending()) await sleep(PREFETCH_PAUSE_MS, undefined, { ref: false })
  }
}
