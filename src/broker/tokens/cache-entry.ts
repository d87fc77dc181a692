/** The entries of the token cache: the key, token and failure of each, and which entries are evicted. */
import type { BrokerError } from '../../lib/errors.ts'
import type { Identity } from '../identities.ts'
import type { Exchange } from './attempts.ts'
import { type Clock, computeRefreshDelayMs, MIN_TTL_MS, ttlMs } from './lifetime.ts'
import { CachedFailure, isRetried } from './failure.ts'
import type { AccessToken, TokenRequest } from './token.ts'

/**
 * Returns the cache key: JSON of everything that decides which token Entra ID issues, so that two requests for different tokens
 * never share a key. The token file and `exchangeVia` are not part of it. A client id names one identity, so they change only
 * by a reload, and Entra ID issues the same token.
 */
export function createCacheKey(
  { authorityHost, tenantId, clientId }: Identity,
  scope: string,
): string {
  return JSON.stringify([authorityHost, tenantId, clientId, scope])
}

/** Returns the key of an identity, which is the same for all its resources. */
export function createIdentityKey(identity: Identity): string {
  return createCacheKey(identity, '')
}

/** The state of one key, for status and metrics. */
export interface CacheEntry {
  readonly request: TokenRequest
  /** The cached token; undefined once it has expired. */
  readonly token?: AccessToken
  /** Set if the last exchanges failed and another request is expected. */
  readonly failure?: Pick<CachedFailure, 'error' | 'count' | 'since'>
  /** When the token is refreshed or the exchange is retried, on the monotonic clock. */
  readonly nextAttemptAt: number
  /** When a caller last asked for the token, on the monotonic clock. */
  readonly lastUsedAt: number
}

/**
 * How long after the last request the cache retries a failure and shows it, since callers that got a failure are expected back.
 * An application that asks every few minutes, as in a crash loop, is shown as failing all the time.
 */
export const FAILURE_WINDOW_MS = 5 * 60_000

export class Entry {
  readonly key: string
  /** The part that all requests of the key have in common. */
  request: TokenRequest
  /** True if the token is refreshed whether or not callers ask for it. Then the entry is never evicted. */
  isPrefetched = false
  /** When a caller last asked for the token, on the monotonic clock. */
  lastUsedAt = -Infinity
  /** The running exchange, which all callers of the key share. Until it ends, the entry is not evicted. */
  exchange: Exchange | undefined
  /** The failed exchanges since the last token, which is served until it expires. */
  failure: CachedFailure | undefined
  /**
   * True if a caller has waited for an exchange since the last token or the last `endBackoff`. Otherwise a temporary failure
   * without Retry-After is not cached, and the next caller waits for an exchange.
   */
  wasAwaited = false
  /** The timer of the refresh or the retry. Without one, the next caller makes the exchange. */
  timer: NodeJS.Timeout | undefined

  readonly #clock: Clock
  readonly #random: () => number
  #token: AccessToken | undefined
  /**
   * The time to live below which the token is refreshed. An absolute time would ignore a clock set forward, or a machine
   * that slept.
   */
  #refreshWhenTtlBelowMs = 0

  /** Creates the entry of a key that no caller has requested yet. */
  constructor(key: string, { identity, scope }: TokenRequest, clock: Clock, random: () => number) {
    this.key = key
    this.request = { identity, scope }
    this.#clock = clock
    this.#random = random
  }

  /** The cached token while it is valid. */
  get token(): AccessToken | undefined {
    return this.ttlMs > 0 ? this.#token : undefined
  }

  /** The time to live of the cached token in milliseconds, by `ttlMs`; 0 without a valid token. */
  get ttlMs(): number {
    if (this.#token === undefined) return 0
    const ttl = ttlMs(this.#token.lifetime, this.#clock)
    return ttl < MIN_TTL_MS ? 0 : ttl
  }

  /** True before the first exchange has ended. */
  get isEmpty(): boolean {
    return this.#token === undefined && this.failure === undefined
  }

  /** The milliseconds until the refresh or the retry. */
  get msUntilDue(): number {
    if (this.failure !== undefined) return this.failure.msUntilRetry
    return this.isEmpty ? 0 : this.ttlMs - this.#refreshWhenTtlBelowMs
  }

  /** Records the token of an exchange, and when to refresh it. */
  succeed(token: AccessToken): void {
    const { lifetime, refreshInMs } = token
    const { lengthMs: lifetimeMs } = lifetime
    const durationMs = lifetimeMs - ttlMs(lifetime, this.#clock)
    const timing = { lifetimeMs, refreshInMs }
    this.#token = token
    this.#refreshWhenTtlBelowMs =
      lifetimeMs - computeRefreshDelayMs(timing, durationMs, this.#random)
    this.failure = undefined
    this.wasAwaited = false
  }

  /** Records a failed exchange, with its backoff. A token that is valid stays cached. */
  fail(error: BrokerError): void {
    const { failure: last, ttlMs: tokenTtlMs, wasAwaited } = this
    this.failure = new CachedFailure(
      error,
      { last, tokenTtlMs, wasAwaited },
      this.#clock,
      this.#random,
    )
  }

  /** Ends the backoff of a failure: callers wait for the next exchange. */
  endBackoff(): void {
    this.failure?.endBackoff()
    this.wasAwaited = false
  }

  /** Returns whether the token is worth an exchange that no caller has asked for. */
  isInUse(): boolean {
    const mayRecover = this.failure !== undefined && isRetried(this.failure.error)
    return this.isPrefetched || ((this.ttlMs > 0 || mayRecover) && this.#isAwaited())
  }

  /**
   * Returns whether a request for the token is expected. SDKs ask once in a lifetime, so a request is expected for one lifetime
   * of the cached token after the last request. Without a cached token it is expected for `FAILURE_WINDOW_MS`, and for a
   * prefetched one always.
   */
  #isAwaited(): boolean {
    const withinMs = this.token?.lifetime.lengthMs ?? FAILURE_WINDOW_MS
    return this.isPrefetched || this.#clock.monotonic() - this.lastUsedAt < withinMs
  }

  /** Returns the state of the key; undefined if it has no token and expects no request. */
  describe(): CacheEntry | undefined {
    const { request, token, failure, lastUsedAt } = this
    const isFailureShown = this.#isAwaited()
    if (token === undefined && !isFailureShown) return undefined
    const dueMs = this.timer === undefined ? failure?.retryAfterMs : undefined
    return {
      request,
      ...(token !== undefined && { token }),
      ...(failure !== undefined && isFailureShown && { failure }),
      nextAttemptAt: this.#clock.monotonic() + (dueMs ?? this.msUntilDue),
      lastUsedAt,
    }
  }

  clearTimer(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }
}

/** The entries by key. */
export class EntryStore {
  readonly #entries = new Map<string, Entry>()
  readonly #maxEntries: number
  readonly #clock: Clock
  readonly #random: () => number

  /** `maxEntries` does not count prefetched entries, which are never evicted. `random` returns [0, 1), for jitter. */
  constructor(maxEntries: number, clock: Clock, random: () => number) {
    this.#maxEntries = maxEntries
    this.#clock = clock
    this.#random = random
  }

  /** Returns the entry of a request. A new one is not in the store until it is added. */
  find(request: TokenRequest): Entry {
    const key = createCacheKey(request.identity, request.scope)
    return this.#entries.get(key) ?? new Entry(key, request, this.#clock, this.#random)
  }

  has(entry: Entry): boolean {
    return this.#entries.get(entry.key) === entry
  }

  /** Adds an entry, unless it is there already. */
  add(entry: Entry): void {
    if (this.has(entry)) return
    this.#entries.set(entry.key, entry)
    this.evict()
  }

  /**
   * Removes the least recently used entries above the limit. It sorts them by their last use when it evicts: a list that each
   * use reorders would cost memory for every cached reply.
   */
  evict(): void {
    if (this.#entries.size <= this.#maxEntries) return
    const evictable = this.all().filter((each) => !each.isPrefetched && each.exchange === undefined)
    const surplus = Math.max(0, evictable.length - this.#maxEntries)
    const byUse = evictable.toSorted((one, other) => one.lastUsedAt - other.lastUsedAt)
    for (const entry of byUse.slice(0, surplus)) this.remove(entry)
  }

  /** Removes an entry, and stops its timer. */
  remove(entry: Entry): void {
    if (this.has(entry)) this.#entries.delete(entry.key)
    entry.isPrefetched = false
    entry.clearTimer()
  }

  all(): readonly Entry[] {
    return [...this.#entries.values()]
  }
}
