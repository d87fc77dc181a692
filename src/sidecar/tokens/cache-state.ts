/** The state of one key of the token cache, and the transitions from state to state. */
import type { BrokerError } from '../../lib/errors.ts'
import { computeNegativeTtlMs, computeRetryDelayMs } from './backoff.ts'
import { type Clock, readAwakeTime, readWallOffset } from './clock.ts'
import { MIN_TTL_MS, ttlMs } from './lifetime.ts'
import { computeRefreshDelayMs } from './refresh-policy.ts'
import type { AccessToken } from './token.ts'

/** The state of one key. */
export type State = Empty | Fresh | Failed

interface Empty {
  readonly kind: 'empty'
  readonly token?: undefined
}

interface Fresh {
  readonly kind: 'fresh'
  readonly token: AccessToken
  /** In time to live, so that a clock set forward, or a machine that slept, brings the refresh forward. */
  readonly refreshWhenTtlBelowMs: number
}

/** Instants are on the monotonic clock; `readAwakeTime` says when they have come. */
export interface Failed {
  readonly kind: 'failed'
  /** The token from before the failure, which is served until it expires. */
  readonly token?: AccessToken
  readonly error: BrokerError
  /** Failed exchanges in a row. */
  readonly failures: number
  /** When the first of them failed. */
  readonly since: number
  /** Until then, callers without a token get the cached failure (negative cache). */
  readonly cachedUntil: number
  /** When the cache retries by itself, if the key is in use. */
  readonly retryAt: number
  /** The `readWallOffset` of the failure. */
  readonly wallOffset: number
}

/** A failure this long after the last one was due for a retry begins a new streak. */
const STREAK_RESET_MS = 10 * 60_000

/** Returns the time to live of the cached token in milliseconds, as `ttlMs` does; 0 without one that is valid. */
export function tokenTtlMs({ token }: State, clock: Clock, now?: number): number {
  if (token === undefined) return 0
  const ttl = ttlMs(token.lifetime, clock, now)
  return ttl < MIN_TTL_MS ? 0 : ttl
}

/** Returns the cached token while it is valid. */
export function findValidToken(state: State, clock: Clock): AccessToken | undefined {
  return tokenTtlMs(state, clock) > 0 ? state.token : undefined
}

/**
 * Returns for how many milliseconds callers without a token still get the cached failure. A wall clock that is set
 * forward ends that early, once.
 */
export function negativeTtlMs(state: Failed, clock: Clock): number {
  return state.cachedUntil - readAwakeTime(state.wallOffset, clock)
}

/** Returns the milliseconds until the refresh or the retry of a key; `ttl` is the `tokenTtlMs` of its state. */
export function msUntilDue(state: State, ttl: number, clock: Clock): number {
  if (state.kind === 'failed') return state.retryAt - readAwakeTime(state.wallOffset, clock)
  return state.kind === 'fresh' ? ttl - state.refreshWhenTtlBelowMs : 0
}

/** Returns the state after an exchange that returned a token. */
export function toFresh(token: AccessToken, clock: Clock, random: () => number): Fresh {
  const { lifetime, refreshInMs } = token
  const { lengthMs: lifetimeMs } = lifetime
  const durationMs = lifetimeMs - ttlMs(lifetime, clock)
  const refreshDelayMs = computeRefreshDelayMs({ lifetimeMs, refreshInMs }, durationMs, random)
  return { kind: 'fresh', token, refreshWhenTtlBelowMs: lifetimeMs - refreshDelayMs }
}

/** Returns the state after a failed exchange, with its backoff. A token that is valid stays cached. */
export function toFailed(
  previous: State,
  error: BrokerError,
  clock: Clock,
  random: () => number,
): Failed {
  const now = clock.monotonic()
  const token = findValidToken(previous, clock)
  const isStreak = previous.kind === 'failed' && now - previous.retryAt < STREAK_RESET_MS
  const streak = isStreak ? previous : undefined
  const failures = (streak?.failures ?? 0) + 1
  const failed = { failures, tokenTtlMs: tokenTtlMs(previous, clock) }
  const retryDelayMs = computeRetryDelayMs(error, failed, random)
  return {
    kind: 'failed',
    ...(token !== undefined && { token }),
    error,
    failures,
    since: streak?.since ?? now,
    cachedUntil: now + computeNegativeTtlMs(error, retryDelayMs, random),
    retryAt: now + retryDelayMs,
    wallOffset: readWallOffset(clock),
  }
}

/** Returns the state whose backoff has ended. */
export function toDue(state: Failed, clock: Clock): Failed {
  const now = clock.monotonic()
  return { ...state, cachedUntil: now, retryAt: now }
}

/** Returns the error as one more caller gets it: the same, with the time until the next attempt. */
export function withRetryAfter(error: BrokerError, retryAfterMs: number): BrokerError {
  return error.with({ retryAfterMs: Math.max(0, retryAfterMs) })
}
