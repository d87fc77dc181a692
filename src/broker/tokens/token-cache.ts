/** The token cache: how a request is answered. Its exchanges, refreshes and failures are in `exchanges.ts`. */
import { setTimeout as sleep } from 'node:timers/promises'
import { untilAborted, withDeadline } from '../../lib/deadline.ts'
import { isInGrace } from './grace.ts'
import type { Identity } from '../identities.ts'
import { WaitingCallers } from './caller-wait.ts'
import { type CacheEntry, createCacheKey, type Entry, EntryStore } from './cache-entry.ts'
import { isEnding, MIN_TTL_MS, ttlMs } from './lifetime.ts'
import { Exchanges, type ExchangesOptions } from './exchanges.ts'
import { createOverloadedError, type CachedFailure } from './failure.ts'
import type { StartExchange } from './attempts.ts'
import { createSemaphore } from '../../lib/semaphore.ts'
import type { AccessToken, CacheRequest, CacheResult, GetToken, TokenRequest } from './token.ts'

export interface TokenCacheOptions extends ExchangesOptions {
  /** Keys with a token or a failure that are cached at most; the least recently used one is evicted. */
  readonly maxEntries: number
  /** Returns [0, 1), for jitter. */
  readonly random?: () => number
  readonly onResult: (result: CacheResult) => void
}

/** `bypass_cache` starts an exchange if the cached token is at least this old. */
const MIN_BYPASS_AGE_MS = 60_000
/** Callers with a cached token wait for a new one at most until its exchange has run for this time. */
const MAX_REPLACE_WAIT_MS = 2000

/** How many first exchanges of prefetched tokens are made at the same time. */
const MAX_PREFETCHING = 16

/** Caches access tokens. Callers of one key share an exchange. */
export class TokenCache {
  readonly #store: EntryStore
  readonly #exchanges: Exchanges
  readonly #options: TokenCacheOptions

  constructor(startExchange: StartExchange, options: TokenCacheOptions) {
    const { maxEntries, clock, random = Math.random } = options
    this.#store = new EntryStore(maxEntries, clock, random)
    this.#exchanges = new Exchanges(startExchange, this.#store, options)
    this.#options = options
  }

  /**
   * Creates the function that answers the callers of one pod. At most `maxWaiting` of them may wait for an exchange at the
   * same time; the next one gets `overloaded`.
   *
   * It returns the cached token at once while it is valid, whatever the state of its refresh. In the token's last seconds, it
   * waits for a new one, unless an exchange has just failed or takes long. Without a token it waits for an exchange, which all
   * callers of the key share. While a failure is cached, it throws the failure at once, with the time until the next attempt.
   * If the signal aborts, the caller has hung up: another caller may wait in its place, and the exchange goes on for the
   * others.
   */
  createGet(maxWaiting: number): GetToken {
    const { clock, timeoutMs, onResult } = this.#options
    const waiting = new WaitingCallers(maxWaiting, timeoutMs)
    return async (request, createSignal) => {
      const entry = this.#store.find(request)
      const now = clock.monotonic()
      entry.lastUsedAt = now
      const { token } = entry
      if (token === undefined) return this.#waitForToken(entry, request, createSignal, waiting)
      const { startsAt, lengthMs } = token.lifetime
      const isRejected = request.bypassCache === true && now - startsAt >= MIN_BYPASS_AGE_MS
      if ((isRejected || isEnding(entry.ttlMs, lengthMs)) && this.#canReplace(entry, waiting)) {
        onResult('bypass')
        return waiting.wait(
          (signal) => this.#replaceToken(entry, token, request.correlationId, signal),
          createSignal,
        )
      }
      // Timers are late after the machine slept, and are not set for a token that was not in use.
      if (entry.msUntilDue <= 0) this.#exchanges.refresh(entry)
      onResult('hit')
      return token
    }
  }

  /** Answers a caller for whom no token is cached: throws the cached failure at once, or waits for an exchange. */
  async #waitForToken(
    entry: Entry,
    request: CacheRequest,
    createSignal: (() => AbortSignal) | undefined,
    waiting: WaitingCallers,
  ): Promise<AccessToken> {
    const { onResult } = this.#options
    const { failure } = entry
    if (failure?.isCached === true) {
      onResult('negative_hit')
      if (request.bypassCache === true && isInGrace(failure.error) && !waiting.isFull) {
        return waiting.wait((signal) => this.#outlastGrace(entry, failure, signal), createSignal)
      }
      throw failure.error.with({ retryAfterMs: failure.retryAfterMs })
    }
    if (waiting.isFull) {
      throw createOverloadedError(
        'too many requests wait for Entra ID',
        'find the client that sends so many at once, or raise WIMDS_MAX_CONNECTIONS: three quarters of the connections may wait',
      )
    }
    this.#store.add(entry)
    onResult(entry.exchange === undefined ? 'miss' : 'coalesced')
    const exchange = this.#exchanges.start(entry, { correlationId: request.correlationId })
    return waiting.wait((signal) => this.#exchanges.wait(entry, exchange, signal), createSignal)
  }

  /**
   * Answers a caller that bypasses the cache while the missing credential may be new: waits for the next retries until the
   * signal aborts. Hadoop ABFS gives up after six tries, which is within 2 s if each is answered at once.
   */
  async #outlastGrace(
    entry: Entry,
    first: CachedFailure,
    signal: AbortSignal,
  ): Promise<AccessToken> {
    let failure = first
    while (isInGrace(failure.error)) {
      const delayMs = Math.max(0, failure.msUntilRetry)
      await sleep(delayMs, undefined, { ref: false, signal }).catch(() => {})
      if (signal.aborted) break
      // The entry's timer may have made the retry.
      if (entry.failure === failure) {
        await untilAborted(this.#exchanges.refresh(entry).token, signal).catch(() => {})
      }
      if (entry.token !== undefined) return entry.token
      // The retry got no permit.
      if (entry.failure === undefined || entry.failure === failure) break
      failure = entry.failure
    }
    throw failure.error.with({ retryAfterMs: failure.retryAfterMs })
  }

  /**
   * Returns whether a caller may wait for a new token. After an exchange has failed, or while one is slow, it gets the cached
   * token at once.
   */
  #canReplace(entry: Entry, waiting: WaitingCallers): boolean {
    const { startedAt = Infinity } = entry.exchange ?? {}
    const isSlow = this.#options.clock.monotonic() - startedAt >= MAX_REPLACE_WAIT_MS
    return entry.failure === undefined && !isSlow && !waiting.isFull
  }

  /** Returns a new token if it comes soon, otherwise the cached one while it is valid. */
  async #replaceToken(
    entry: Entry,
    cached: AccessToken,
    correlationId: string | undefined,
    signal: AbortSignal,
  ): Promise<AccessToken> {
    const exchange = this.#exchanges.start(entry, { correlationId, isBackground: true })
    const { clock } = this.#options
    const waitedMs = clock.monotonic() - exchange.startedAt
    return withDeadline(MAX_REPLACE_WAIT_MS - waitedMs, (limit) =>
      untilAborted(exchange.token, limit),
    ).catch(() =>
      ttlMs(cached.lifetime, clock) >= MIN_TTL_MS
        ? cached
        : this.#exchanges.wait(entry, exchange, signal),
    )
  }

  /**
   * Keeps the tokens of these requests refreshed, whether or not callers ask for them, and no longer those of an earlier list.
   * Resolves after one exchange for each. A failure is retried like any other.
   */
  async prefetch(requests: readonly TokenRequest[]): Promise<void> {
    const limit = createSemaphore({ maxConcurrent: MAX_PREFETCHING })
    const wanted = new Set<Entry>()
    for (const request of requests) {
      const entry = this.#store.find(request)
      entry.isPrefetched = true
      this.#store.add(entry)
      if (entry.exchange === undefined && !entry.isEmpty) this.#exchanges.schedule(entry)
      wanted.add(entry)
    }
    for (const entry of this.#store.all()) entry.isPrefetched = wanted.has(entry)
    this.#store.evict()
    const exchangeFirst = async (entry: Entry) => {
      // Another list may have replaced this one.
      if (!entry.isPrefetched || !entry.isEmpty) return
      await this.#exchanges.refresh(entry).token.catch(() => {})
    }
    await Promise.all([...wanted].map((entry) => limit(() => exchangeFirst(entry))))
  }

  /** Returns the state of the keys that have a token or expect a request. */
  entries(): readonly CacheEntry[] {
    return this.#store.all().flatMap((entry) => entry.describe() ?? [])
  }

  /**
   * Replaces the identity of each key by the one that `find` returns. If the key is exchanged in another way by now and may
   * have failed for that reason, it is retried at once. Removes a key if `find` returns no identity for it, or one with another
   * key. Callers that already wait for an exchange get its answer.
   */
  updateIdentities(find: (request: TokenRequest) => Identity | undefined): void {
    for (const entry of this.#store.all()) {
      const { key, request } = entry
      const identity = find(request)
      if (identity !== undefined && createCacheKey(identity, request.scope) === key) {
        entry.request = { ...request, identity }
        const { tokenFile, exchangeVia } = request.identity
        const isSameWay = tokenFile === identity.tokenFile && exchangeVia === identity.exchangeVia
        if (!isSameWay) this.#exchanges.restart(entry)
      } else {
        this.#store.remove(entry)
      }
    }
  }

  /** Retries at once the keys whose last exchange may have failed because of the earlier projected token in this file. */
  assertionRotated(tokenFile: string): void {
    for (const entry of this.#store.all()) {
      if (entry.request.identity.tokenFile === tokenFile) this.#exchanges.retryOutdated(entry)
    }
  }

  close(): void {
    for (const entry of this.#store.all()) this.#store.remove(entry)
  }
}
