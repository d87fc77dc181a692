/** The token cache: get · refresh · schedule · retry. One exchange per key at a time (single flight). */
import { setTimeout as sleep } from 'node:timers/promises'
import { BrokerError, toBrokerError } from '../../lib/errors.ts'
import type { Identity } from '../identities.ts'
import { startDeadline, untilAborted } from '../../lib/deadline.ts'
import {
  type CacheEntry,
  createEntry,
  describeEntry,
  type Entry,
  hasOwnRetry,
  isInUse,
  toSharedRequest,
} from './cache-entry.ts'
import {
  type Failed,
  msUntilDue,
  negativeTtlMs,
  type State,
  toDue,
  toFailed,
  toFresh,
  tokenTtlMs,
  withRetryAfter,
} from './cache-state.ts'
import { type Clock, systemClock } from './clock.ts'
import { createEntryStore } from './entry-store.ts'
import { createOverloadedError } from './limiter.ts'
import { MIN_TTL_MS, ttlMs } from './lifetime.ts'
import { isRetried, mayRecoverWithNewAssertion } from './backoff.ts'
import { isEnding } from './refresh-policy.ts'
import {
  type AccessToken,
  type CacheRequest,
  createCacheKey,
  isSameExchange,
  type GetToken,
  type TokenRequest,
  type TokenSource,
} from './token.ts'
import { createWaitingCallers } from './waiting-callers.ts'

/** How the cache answered a request; the label values of `wimds_token_cache_results_total`. */
export type CacheResult = 'hit' | 'miss' | 'coalesced' | 'negative_hit' | 'bypass'

/** The outcome of an exchange that was made while a token was cached. */
export interface RefreshEvent {
  readonly request: TokenRequest
  /** Undefined: the refresh succeeded. */
  readonly error?: BrokerError
  /** Time to live of the token that is cached now, in milliseconds. */
  readonly ttlMs: number
}

export interface TokenCacheOptions {
  /** Keys cached at most, tokens and failures; the least recently used is evicted. */
  readonly maxEntries: number
  /** Callers that may wait for an exchange at the same time; the next one gets `overloaded`. */
  readonly maxWaiting?: number
  /** How long a caller waits for an exchange, in milliseconds; the exchange goes on for the next callers. */
  readonly timeoutMs?: number
  readonly clock?: Clock
  /** Returns [0, 1), for jitter. */
  readonly random?: () => number
  readonly onResult?: (result: CacheResult) => void
  readonly onRefresh?: (event: RefreshEvent) => void
}

export interface TokenCache {
  /**
   * Returns the cached token at once while it is valid, whatever the state of its refresh; in its last seconds it waits
   * for a new one, unless an exchange has just failed or takes long. Without a token it waits
   * for an exchange, which all callers of the key share. While a failure is cached, throws it at once with
   * the time until the next attempt. The signal says that the caller hung up: its place among the waiting
   * callers is free, and the exchange goes on for the others.
   */
  readonly get: GetToken
  /**
   * Keeps the tokens of these requests, and of no others, refreshed whether or not callers ask for them;
   * they are never evicted. Resolves when each has been attempted once.
   */
  readonly prefetch: (requests: readonly CacheRequest[]) => Promise<void>
  /** Returns the state of the keys. Leaves a failure out when no more request for the token is expected. */
  readonly entries: () => readonly CacheEntry[]
  /**
   * Replaces the identity of each key by the one that `find` returns, and retries at once what may have failed because
   * of how it was exchanged. Removes the keys for which that is none or one with another key; an exchange of theirs
   * that is in flight is still answered to its callers.
   */
  readonly updateIdentities: (find: (request: TokenRequest) => Identity | undefined) => void
  /** Retries at once what may have failed because of the projected token that was in this file. */
  readonly assertionRotated: (tokenFile: string) => void
  /** Stops all refreshes and retries. */
  readonly close: () => void
}

/** An exchange that is running. */
interface Flight {
  readonly token: Promise<AccessToken>
  /** Until then, on the monotonic clock, callers with a cached token may wait for this one. */
  readonly replacesUntil: number
  /** See `TokenRequest.isBackground`. True also after the time limit of the callers, when its failure is cached. */
  isBackground: boolean
  /** The assertion, or where it goes, has changed since the exchange started. */
  isOutdated: boolean
}

/** `bypass_cache` starts an exchange if the cached token is at least this old. */
const MIN_BYPASS_AGE_MS = 60_000
/** Callers with a cached token wait for a new one until this long after its exchange started. */
const MAX_REPLACE_WAIT_MS = 2000
/** Failing keys that are retried in the background at the same time; callers retry the others. */
const MAX_RETRYING = 16
/** First exchanges of prefetched keys that are made at the same time. */
const MAX_PREFETCHING = 16
/** Before an exchange that found no capacity is tried again. */
const PREFETCH_PAUSE_MS = 1000
/** Timers fire at least this often to read the clocks, since they stop while the machine sleeps. */
const MAX_TIMER_MS = 60_000

/** Creates a cache of the tokens of `source`. */
export function createTokenCache(source: TokenSource, options: TokenCacheOptions): TokenCache {
  const { maxEntries, maxWaiting = Infinity, clock = systemClock, random = Math.random } = options
  const { timeoutMs = 60_000, onResult = () => {}, onRefresh = () => {} } = options
  const store = createEntryStore({ maxEntries, onRemove: cancelTimer })
  const inflight = new Map<string, Flight>()
  const waiting = createWaitingCallers(maxWaiting)
  const retrying = new Set<Entry>()

  return { get, prefetch, entries, updateIdentities, assertionRotated, close }

  async function get(request: CacheRequest, signal?: AbortSignal): Promise<AccessToken> {
    const { key } = request
    const entry = store.use(key) ?? createEntry(request)
    const now = clock.monotonic()
    entry.lastUsedAt = now
    const { state } = entry
    const { token } = state
    const ttl = tokenTtlMs(state, clock, now)
    if (token === undefined || ttl === 0) return waitForToken(entry, request, signal)
    const isRejected =
      request.bypassCache === true && now - token.lifetime.startsAt >= MIN_BYPASS_AGE_MS
    if ((isRejected || isEnding(ttl, token.lifetime.lengthMs)) && canReplace(entry, now)) {
      onResult('bypass')
      return waiting.wait(replaceToken(entry, token, request.correlationId), signal)
    }
    // Timers are late after the machine slept, and are not set for a token that was not in use.
    if (msUntilDue(state, ttl, clock) <= 0 && !inflight.has(key)) refresh(entry)
    onResult('hit')
    return token
  }

  /** Answers a caller without a token: throws the cached failure at once, or waits for an exchange. */
  async function waitForToken(
    entry: Entry,
    { correlationId }: TokenRequest,
    signal: AbortSignal | undefined,
  ): Promise<AccessToken> {
    const { key, state } = entry
    if (state.kind === 'failed' && isFailureCached(entry, state)) {
      onResult('negative_hit')
      throw withRetryAfter(state.error, negativeTtlMs(state, clock))
    }
    if (waiting.isFull()) {
      throw createOverloadedError('too many requests wait for Entra ID', 'WIMDS_MAX_CONNECTIONS')
    }
    store.add(entry)
    onResult(inflight.has(key) ? 'coalesced' : 'miss')
    return waiting.wait(exchange(entry, { isBackground: false, correlationId }), signal)
  }

  /** Returns whether callers get the failure at once: during its backoff, and while the cache retries by itself. */
  function isFailureCached(entry: Entry, state: Failed): boolean {
    if (negativeTtlMs(state, clock) > 0) return true
    // Its timer is late. After the machine slept it is not, and the failure is too old for the caller.
    if (hasOwnRetry(entry) && state.retryAt <= clock.monotonic()) refresh(entry)
    return inflight.get(entry.key)?.isBackground === true
  }

  /** Returns whether a caller may wait for a new token: once an exchange failed or takes long, the cached one is served at once. */
  function canReplace({ key, state }: Entry, now: number): boolean {
    const { replacesUntil = Infinity } = inflight.get(key) ?? {}
    return state.kind === 'fresh' && now < replacesUntil && !waiting.isFull()
  }

  /** Returns a new token if it comes soon, otherwise the cached one while it is valid. */
  async function replaceToken(
    entry: Entry,
    cached: AccessToken,
    correlationId: string | undefined,
  ): Promise<AccessToken> {
    const replacement = exchange(entry, { isBackground: true, correlationId })
    const { replacesUntil = 0 } = inflight.get(entry.key) ?? {}
    const deadline = startDeadline(replacesUntil - clock.monotonic())
    try {
      return await untilAborted(replacement, deadline.signal)
    } catch {
      return ttlMs(cached.lifetime, clock) >= MIN_TTL_MS ? cached : await replacement
    } finally {
      deadline.clear()
    }
  }

  /** Starts the refresh, or the retry after a failure: in the background, unless the token expired while the machine slept. */
  function refresh(entry: Entry): void {
    const { state } = entry
    const isBackground = state.kind === 'failed' || tokenTtlMs(state, clock) > 0
    // A failure is the entry's state.
    exchange(entry, { isBackground }).catch(() => {})
  }

  /** Returns the running exchange of this key, or starts one (single flight). */
  function exchange(
    entry: Entry,
    { isBackground, correlationId }: { isBackground: boolean; correlationId?: string | undefined },
  ): Promise<AccessToken> {
    const running = inflight.get(entry.key)
    if (running !== undefined) return running.token
    cancelTimer(entry)
    const outcome = run(entry, {
      ...entry.request,
      isBackground,
      ...(correlationId !== undefined && { correlationId }),
    })
    const token = isBackground ? outcome : waitInTime(entry, outcome)
    const replacesUntil = clock.monotonic() + MAX_REPLACE_WAIT_MS
    inflight.set(entry.key, { token, replacesUntil, isBackground, isOutdated: false })
    return token
  }

  /** Throws `entra_timeout` after a caller's time limit. From then on the exchange runs in the background. */
  async function waitInTime(entry: Entry, outcome: Promise<AccessToken>): Promise<AccessToken> {
    const deadline = startDeadline(timeoutMs)
    try {
      return await untilAborted(outcome, deadline.signal)
    } catch (error) {
      const flight = inflight.get(entry.key)
      if (flight === undefined || error !== deadline.signal.reason) return await outcome
      flight.isBackground = true
      throw recordFailure(findSuccessor(entry), createTimeoutError(timeoutMs))
    } finally {
      deadline.clear()
    }
  }

  /** Makes one exchange and records its outcome. */
  async function run(entry: Entry, request: TokenRequest): Promise<AccessToken> {
    let token: AccessToken
    try {
      token = await source(request)
      requireUnexpired(token)
    } catch (thrown) {
      throw recordFailure(findSuccessor(entry), toBrokerError(thrown))
    } finally {
      inflight.delete(entry.key)
    }
    recordSuccess(findSuccessor(entry), token)
    return token
  }

  /** Returns the entry that the key has now: another one if this one was evicted and the key requested again. */
  function findSuccessor(entry: Entry): Entry {
    return store.peek(entry.key) ?? entry
  }

  /** Throws if the exchange took longer than the token lives. */
  function requireUnexpired(token: AccessToken): void {
    if (ttlMs(token.lifetime, clock) >= MIN_TTL_MS) return
    throw new BrokerError(
      'entra_bad_response',
      'the access token had expired when it arrived',
      'check its lifetime, and how long exchanges take',
    )
  }

  function recordSuccess(entry: Entry, token: AccessToken): void {
    const isRefresh = tokenTtlMs(entry.state, clock) > 0
    entry.state = toFresh(token, clock, random)
    if (isRefresh) onRefresh({ request: entry.request, ttlMs: ttlMs(token.lifetime, clock) })
    schedule(entry)
  }

  /** Records a failure, and returns the error for the callers that wait. */
  function recordFailure(entry: Entry, error: BrokerError): BrokerError {
    const ttl = tokenTtlMs(entry.state, clock)
    if (error.code === 'overloaded' && ttl === 0 && !entry.isPrefetched) {
      // Not cached: the key itself is fine, and is to be served as soon as there is capacity.
      if (entry.state.kind === 'empty') store.remove(entry)
      return error
    }
    const failed = toFailed(entry.state, error, clock, random)
    const isOver =
      inflight.get(entry.key)?.isOutdated === true && mayRecoverWithNewAssertion(failed.error)
    entry.state = isOver ? toDue(failed, clock) : failed
    if (ttl > 0) onRefresh({ request: entry.request, error: failed.error, ttlMs: ttl })
    schedule(entry)
    return withRetryAfter(failed.error, negativeTtlMs(entry.state, clock))
  }

  /** Sets the timer for the next refresh or retry, unless it is left to the next caller. */
  function schedule(entry: Entry): void {
    cancelTimer(entry)
    const { state } = entry
    // Removed while its exchange ran.
    if (store.peek(entry.key) !== entry) return
    const ttl = tokenTtlMs(state, clock)
    if (ttl === 0 && !entry.isPrefetched) {
      if (state.kind === 'failed' && !isRetried(state.error)) return
      if (retrying.size >= MAX_RETRYING) return
      retrying.add(entry)
    }
    setTimer(entry, msUntilDue(state, ttl, clock))
  }

  function setTimer(entry: Entry, ms: number): void {
    // Node warns of a negative delay.
    const delayMs = Math.max(0, Math.min(ms, MAX_TIMER_MS))
    entry.timer = setTimeout(onTimer, delayMs, entry).unref()
  }

  function cancelTimer(entry: Entry): void {
    clearTimeout(entry.timer)
    delete entry.timer
    retrying.delete(entry)
  }

  /** Refreshes or retries a token that is due and in use. A token that is not in use stays until it expires. */
  function onTimer(entry: Entry): void {
    cancelTimer(entry)
    const { state } = entry
    const ttl = tokenTtlMs(state, clock)
    if (msUntilDue(state, ttl, clock) > 0) schedule(entry)
    else if (isInUse(entry, clock)) refresh(entry)
    else if (ttl > 0) setTimer(entry, ttl)
    else if (state.kind === 'fresh') store.remove(entry)
  }

  async function prefetch(requests: readonly CacheRequest[]): Promise<void> {
    const byKey = new Map(requests.map((request) => [request.key, request]))
    for (const entry of store.all()) {
      if (entry.isPrefetched && !byKey.has(entry.key)) store.setPrefetched(entry, false)
    }
    const queue = [...byKey.values()].map(addPrefetched).values()
    const attemptNext = async () => {
      for (const entry of queue) await attempt(entry)
    }
    await Promise.all(Array.from({ length: MAX_PREFETCHING }, attemptNext))
  }

  function addPrefetched(request: CacheRequest): Entry {
    const entry = store.peek(request.key) ?? createEntry(request)
    store.setPrefetched(entry, true)
    entry.request = toSharedRequest(request)
    if (entry.state.kind !== 'empty' && !inflight.has(entry.key)) schedule(entry)
    return entry
  }

  /** Makes the first exchange of a prefetched entry, again while it finds no capacity. Others are scheduled. */
  async function attempt(entry: Entry): Promise<void> {
    const isPending = () =>
      store.peek(entry.key) === entry && entry.isPrefetched && !isAttempted(entry.state)
    while (isPending()) {
      // A failure is the entry's state, and is retried.
      await exchange(entry, { isBackground: false }).catch(() => {})
      if (isPending()) await sleep(PREFETCH_PAUSE_MS, undefined, { ref: false })
    }
  }

  function updateIdentities(find: (request: TokenRequest) => Identity | undefined): void {
    for (const entry of store.all()) {
      const { key, request } = entry
      const identity = find(request)
      if (identity !== undefined && createCacheKey(identity, request.scope) === key) {
        entry.request = { ...request, identity }
        if (!isSameExchange(request.identity, identity)) retryWithNewAssertion(entry)
      } else {
        // A later reload may add the key again, and exchange it in another way.
        const flight = inflight.get(key)
        if (flight !== undefined) flight.isOutdated = true
        store.remove(entry)
      }
    }
  }

  function assertionRotated(tokenFile: string): void {
    for (const entry of store.all()) {
      if (entry.request.identity.tokenFile === tokenFile) retryWithNewAssertion(entry)
    }
  }

  /** Retries at once what may have failed because of an assertion that has been replaced. */
  function retryWithNewAssertion(entry: Entry): void {
    const { key, state } = entry
    const flight = inflight.get(key)
    if (flight !== undefined) flight.isOutdated = true
    else if (state.kind === 'failed' && mayRecoverWithNewAssertion(state.error)) {
      retryNow(entry, state)
    }
  }

  /** Ends the backoff. Callers without a token wait for the retry: the cached failure may be over. */
  function retryNow(entry: Entry, state: Failed): void {
    const willRetry = hasOwnRetry(entry) && isInUse(entry, clock)
    entry.state = toDue(state, clock)
    if (tokenTtlMs(state, clock) > 0) schedule(entry)
    else if (willRetry) exchange(entry, { isBackground: false }).catch(() => {})
    else cancelTimer(entry)
  }

  function entries(): readonly CacheEntry[] {
    return store.all().flatMap((entry) => describeEntry(entry, clock) ?? [])
  }

  function close(): void {
    for (const entry of store.all()) store.remove(entry)
  }
}

/** Returns whether Entra ID has been asked, with whatever result. */
function isAttempted(state: State): boolean {
  return state.kind === 'failed' ? state.error.code !== 'overloaded' : state.kind === 'fresh'
}

function createTimeoutError(timeoutMs: number): BrokerError {
  return new BrokerError(
    'entra_timeout',
    `Entra ID issued no token within ${timeoutMs / 1000} s`,
    'check the network, the firewall and the proxy between the pod and the login host, and the CPU limit of the sidecar',
  )
}
