/**
 * The failed exchanges of a key since its last token: when the cache retries by itself, and how long callers get the cached
 * failure. Delays have full jitter: they are between 0 and the longest delay of their policy.
 */
import { BrokerError, ERROR_KINDS } from '../../lib/errors.ts'
import { findGraceMs, isPropagating } from './grace.ts'
import { type Clock, MIN_TTL_MS } from './lifetime.ts'

/** When a retry has been due for this long, the next failure begins a new streak. */
const STREAK_RESET_MS = 10 * 60_000

/** The state of the key before a failure. */
interface Before {
  /** The failure before this one. If it is recent, this one continues its streak. */
  readonly last: CachedFailure | undefined
  /** Time to live of the cached token in milliseconds; 0 without one. */
  readonly tokenTtlMs: number
  /** True if a caller has waited for an exchange since the last token. */
  readonly wasAwaited: boolean
}

export class CachedFailure {
  readonly error: BrokerError
  /** Failed exchanges in a row. */
  readonly count: number
  /** When the first of these exchanges failed, on the monotonic clock, like the instants below. */
  readonly since: number
  readonly #clock: Pick<Clock, 'monotonic'>
  #cachedUntil: number
  #retryAt: number

  /** Creates the failure of an exchange. `random` returns [0, 1). */
  constructor(
    error: BrokerError,
    { last, tokenTtlMs, wasAwaited }: Before,
    clock: Pick<Clock, 'monotonic'>,
    random: () => number,
  ) {
    const now = clock.monotonic()
    const streak = last !== undefined && last.msUntilRetry > -STREAK_RESET_MS ? last : undefined
    this.error = error
    this.count = (streak?.count ?? 0) + 1
    this.since = streak?.since ?? now
    const exchange = { failures: this.count, tokenTtlMs }
    const retryDelayMs = computeRetryDelayMs(error, exchange, random)
    // A temporary failure of a prefetch is not cached, so that the first caller waits, as at every cold start.
    const isCached =
      wasAwaited || tokenTtlMs > 0 || error.isPermanent || error.retryAfterMs !== undefined
    this.#cachedUntil = now + (isCached ? computeNegativeTtlMs(error, retryDelayMs, random) : 0)
    this.#retryAt = now + retryDelayMs
    this.#clock = clock
  }

  /** The milliseconds until the cache retries by itself, if the key is in use. */
  get msUntilRetry(): number {
    return this.#retryAt - this.#clock.monotonic()
  }

  /** True while callers without a token get this failure at once (negative cache). */
  get isCached(): boolean {
    return this.#clock.monotonic() < this.#cachedUntil
  }

  /** The milliseconds until the next attempt, by the cache or the next caller; 0 while it is made. */
  get retryAfterMs(): number {
    return Math.max(0, Math.min(this.#cachedUntil, this.#retryAt) - this.#clock.monotonic())
  }

  /**
   * Keeps the failure cached while the cache makes the retry: for `ms` after the retry was due. If the process stood still,
   * that time is over, since an old failure says nothing about the present.
   */
  outlastRetry(ms: number): void {
    this.#cachedUntil = this.#retryAt + ms
  }

  endBackoff(): void {
    this.#cachedUntil = this.#clock.monotonic()
    this.#retryAt = this.#cachedUntil
  }
}

const SECOND_MS = 1000

export interface BackoffPolicy {
  readonly baseMs: number
  readonly capMs: number
}

/** Returns the longest delay after this many failures in a row: `baseMs` × 2ⁿ⁻¹, at most `capMs`. Jitter shortens it. */
export function maxBackoffMs({ baseMs, capMs }: BackoffPolicy, failures: number): number {
  return Math.min(capMs, baseMs * 2 ** (failures - 1))
}

/** No token is cached: recovery must be noticed within seconds. */
const WITHOUT_TOKEN: BackoffPolicy = { baseMs: SECOND_MS, capMs: 8 * SECOND_MS }
/** Callers have a valid token: a failing Entra ID is spared. */
const WITH_TOKEN: BackoffPolicy = { baseMs: 2 * SECOND_MS, capMs: 60 * SECOND_MS }
/** A change in Entra ID takes minutes to reach all of its nodes (E8). */
const PROPAGATION: BackoffPolicy = { baseMs: SECOND_MS, capMs: 30 * SECOND_MS }
/** Retries fail until an operator changes the configuration. */
const PERMANENT: BackoffPolicy = { baseMs: 30 * SECOND_MS, capMs: 300 * SECOND_MS }

const MIN_RETRY_MS = 250
/** A permanent failure is cached for this long at most, so that a fix takes effect soon. */
const PERMANENT_NEGATIVE_TTL_MS = 10 * SECOND_MS
/** Added to Retry-After at most, so that clients with the same value do not return together. */
const RETRY_AFTER_JITTER = 0.2

/**
 * Returns after how many milliseconds the cache retries by itself. `failures` counts the failed exchanges in a row;
 * `tokenTtlMs` is the time to live of the cached token, 0 without one. The delay is not shorter than Retry-After, except after
 * a permanent failure, so that a fix takes effect. The backoff ends before the cached token expires, since callers wait from
 * then on. `random` returns [0, 1).
 */
export function computeRetryDelayMs(
  error: BrokerError,
  { failures, tokenTtlMs }: { readonly failures: number; readonly tokenTtlMs: number },
  random: () => number,
): number {
  const hasToken = tokenTtlMs > 0
  const backoffMs = maxBackoffMs(selectPolicy(error, hasToken), failures) * random()
  if (error.isPermanent && !hasToken) return Math.max(PERMANENT_NEGATIVE_TTL_MS, backoffMs)
  const delayMs = hasToken ? Math.min(tokenTtlMs - MIN_TTL_MS, backoffMs) : backoffMs
  const retryAfterMs = error.isPermanent ? 0 : (error.retryAfterMs ?? 0)
  return Math.max(MIN_RETRY_MS, delayMs, jitterRetryAfter(retryAfterMs, random))
}

/** Adds jitter to the milliseconds of a Retry-After. */
export function jitterRetryAfter(retryAfterMs: number, random: () => number): number {
  return retryAfterMs * (1 + RETRY_AFTER_JITTER * random())
}

/** Returns for how many milliseconds a failure is cached: callers get it at once, without an exchange. */
export function computeNegativeTtlMs(
  error: BrokerError,
  retryDelayMs: number,
  random: () => number,
): number {
  if (!error.isPermanent) return retryDelayMs
  return Math.min(retryDelayMs, PERMANENT_NEGATIVE_TTL_MS * (1 - random() / 4))
}

/** Returns true if the cache retries by itself: the failure may pass, or the missing credential may still be created. */
export function isRetried(error: BrokerError): boolean {
  return !error.isPermanent || findGraceMs(error) > 0
}

/** Returns true if an exchange with a rotated projected token may succeed after this error. */
export function mayRecoverWithNewAssertion(error: BrokerError): boolean {
  return error.isPermanent || ERROR_KINDS[error.code].source === 'assertion' || isPropagating(error)
}

function selectPolicy(error: BrokerError, hasToken: boolean): BackoffPolicy {
  if (error.isPermanent && (hasToken || !isRetried(error))) return PERMANENT
  if (isPropagating(error) || error.code === 'assertion_expired') return PROPAGATION
  return hasToken ? WITH_TOKEN : WITHOUT_TOKEN
}

/** Creates the error of a request that finds no capacity. `fix` says what to do if this goes on. */
export function createOverloadedError(reason: string, fix: string): BrokerError {
  return new BrokerError('overloaded', reason, {
    fix: `retry; if this goes on, ${fix}`,
    retryAfterMs: 1000,
  })
}
