/** The failed exchanges of a key since its last token: their backoff, and how long callers get the cached failure. */
import type { BrokerError } from '../../lib/errors.ts'
import { computeNegativeTtlMs, computeRetryDelayMs } from './backoff.ts'
import { type Clock, readWallOffset } from './clock.ts'

/** Instants are on the monotonic clock; `readAwakeTime` says when they have come. */
export interface Failure {
  /** The latest error. */
  readonly error: BrokerError
  /** Failed exchanges in a row. */
  readonly count: number
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

/** Creates the failure of an exchange, after the last failure without a token since. `random` returns [0, 1). */
export function createFailure(
  error: BrokerError,
  { last, tokenTtlMs }: { last: Failure | undefined; tokenTtlMs: number },
  clock: Clock,
  random: () => number,
): Failure {
  const now = clock.monotonic()
  const streak = last !== undefined && now - last.retryAt < STREAK_RESET_MS ? last : undefined
  const count = (streak?.count ?? 0) + 1
  const retryDelayMs = computeRetryDelayMs(error, { failures: count, tokenTtlMs }, random)
  return {
    error,
    count,
    since: streak?.since ?? now,
    cachedUntil: now + computeNegativeTtlMs(error, retryDelayMs, random),
    retryAt: now + retryDelayMs,
    wallOffset: readWallOffset(clock),
  }
}
