/** The entry of the token cache for one key, and whether its token is in use. */
import type { BrokerError } from '../../lib/errors.ts'
import { findValidToken, msUntilDue, negativeTtlMs, type State, tokenTtlMs } from './cache-state.ts'
import type { Clock } from './clock.ts'
import { isRetried } from './backoff.ts'
import type { AccessToken, CacheRequest, TokenRequest } from './token.ts'

export interface Entry {
  readonly key: string
  /** The part that all requests of the key have in common. */
  request: TokenRequest
  state: State
  /** When a caller last asked for it, on the monotonic clock. */
  lastUsedAt: number
  /** Its token is refreshed whether or not callers ask for it. The store sets this. */
  isPrefetched: boolean
  /** The one timer: for the refresh, the retry or the expiry. See `hasOwnRetry`. */
  timer?: NodeJS.Timeout
}

/** The state of one key, for status and metrics. */
export interface CacheEntry {
  readonly request: TokenRequest
  /** The cached token; undefined once it has expired. */
  readonly token?: AccessToken
  /** The last exchanges failed, and a request is expected: the latest error, how many failed in a row, and since when (monotonic clock). */
  readonly failure?: {
    readonly error: BrokerError
    readonly count: number
    readonly since: number
  }
  /** When the token is refreshed or the exchange is retried, on the monotonic clock. */
  readonly nextAttemptAt: number
}

/** Callers that got a failure are expected back within this time; until then the cache retries. */
const RETRY_WINDOW_MS = 2 * 60_000
/**
 * A failure without a token is shown for this long after the last request. Longer than the retries, so that an
 * application that asks every few minutes, as in a crash loop, shows as failing all the time.
 */
export const FAILURE_WINDOW_MS = 5 * 60_000

/** Creates the entry of a key that no caller has requested yet. */
export function createEntry(request: CacheRequest): Entry {
  return {
    key: request.key,
    request: toSharedRequest(request),
    state: { kind: 'empty' },
    lastUsedAt: -Infinity,
    isPrefetched: false,
  }
}

/** Returns the part that all requests of a key have in common. */
export function toSharedRequest({ identity, scope }: TokenRequest): TokenRequest {
  return { identity, scope }
}

/** Returns whether the cache retries after a failure by itself; otherwise the next caller does. */
export function hasOwnRetry({ timer }: Entry): boolean {
  return timer !== undefined
}

/** Returns whether the token is worth an exchange that no caller has asked for. */
export function isInUse(entry: Entry, clock: Clock): boolean {
  const { isPrefetched, state } = entry
  const hasToken = tokenTtlMs(state, clock) > 0
  const mayRecover = state.kind === 'failed' && isRetried(state.error)
  return isPrefetched || ((hasToken || mayRecover) && isAwaited(entry, clock, RETRY_WINDOW_MS))
}

/**
 * Returns whether a request for the token is expected: it is prefetched; or the last request was less than one lifetime
 * of the cached token ago, since SDKs ask once in a lifetime; or, while none is cached, less than `windowMs` ago.
 */
function isAwaited(entry: Entry, clock: Clock, windowMs: number): boolean {
  const token = findValidToken(entry.state, clock)
  const withinMs = token?.lifetime.lengthMs ?? windowMs
  return entry.isPrefetched || clock.monotonic() - entry.lastUsedAt < withinMs
}

/** Returns the state of a key; undefined if it has neither a token nor a caller who is expected to ask for one. */
export function describeEntry(entry: Entry, clock: Clock): CacheEntry | undefined {
  const { request, state } = entry
  const token = findValidToken(state, clock)
  const isFailureShown = isAwaited(entry, clock, FAILURE_WINDOW_MS)
  if (token === undefined && !isFailureShown) return undefined
  const isNegative = state.kind === 'failed' && token === undefined
  return {
    request,
    ...(token !== undefined && { token }),
    ...(state.kind === 'failed' &&
      isFailureShown && {
        failure: { error: state.error, count: state.failures, since: state.since },
      }),
    nextAttemptAt:
      clock.monotonic() +
      (isNegative
        ? negativeTtlMs(state, clock)
        : msUntilDue(state, tokenTtlMs(state, clock), clock)),
  }
}
