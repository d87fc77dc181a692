/** Retries of an exchange that callers wait for, so that a cold start survives a transient failure. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type BrokerError, toBrokerError } from '../errors.ts'
import { type BackoffPolicy, maxBackoffMs } from '../lib/backoff.ts'
import { startDeadline } from '../lib/deadline.ts'
import type { Clock } from './clock.ts'
import { jitterRetryAfter } from './refresh-policy.ts'
import type { TokenSource } from './token.ts'

interface RetryOptions {
  readonly clock: Pick<Clock, 'monotonic'>
  /** Returns [0, 1), for jitter. */
  readonly random?: () => number
}

const MAX_ATTEMPTS = 3
/** Retries start within this time of the first attempt; only the one after an attempt timeout may start later. */
const MAX_RETRY_START_MS = 2500
/** A failure that took longer is not retried: a slow resolver would be as slow again. */
const MAX_QUICK_FAILURE_MS = 1000
/** An attempt without a response ends after this time, unless it is the last one. */
const ATTEMPT_TIMEOUT_MS = 3000
/** With full jitter. */
const BACKOFF: BackoffPolicy = { baseMs: 500, capMs: 1000 }
const MIN_DELAY_MS = 50
/** A response with a longer Retry-After is not retried. */
const MAX_AWAITED_RETRY_AFTER_MS = 2000
/** Retries of the process in any minute: a fleet must not multiply the load of an outage. */
const MAX_RETRIES_PER_MINUTE = 10

/**
 * Retries exchanges of `next` that failed in a way that may pass within seconds, three attempts at most.
 * Throws the error of the last attempt. A response that does not come is waited for until
 * `ATTEMPT_TIMEOUT_MS`, and then in a last attempt until the signal aborts: on another connection, except
 * through an HTTP proxy, where undici cannot give up a connection that is being established. An
 * exchange in the background has one attempt: the cache retries it, and no caller waits.
 */
export function retryExchanges(
  next: TokenSource,
  { clock, random = Math.random }: RetryOptions,
): TokenSource {
  const budget = createRetryBudget(clock)

  return async (request, signal) => {
    if (request.isBackground === true) return next(request, signal)
    const firstStartedAt = clock.monotonic()
    const elapsedMs = () => clock.monotonic() - firstStartedAt
    let attempts = 1
    while (attempts < MAX_ATTEMPTS && elapsedMs() <= MAX_RETRY_START_MS && budget.hasRetries()) {
      const startedMs = elapsedMs()
      const attempt = startDeadline(ATTEMPT_TIMEOUT_MS, signal)
      try {
        return await next(request, attempt.signal)
      } catch (thrown) {
        const error = toBrokerError(thrown)
        const tookMs = elapsedMs() - startedMs
        const delayMs = attempt.signal.aborted ? 0 : computeDelayMs(error, tookMs, attempts, random)
        const isLate = !attempt.signal.aborted && elapsedMs() + delayMs > MAX_RETRY_START_MS
        if (isLate || signal?.aborted === true || !budget.spend()) throw error
        attempts += 1
        // If the time runs out meanwhile, this error says why.
        await sleep(delayMs, undefined, { signal }).catch(() => Promise.reject(error))
      } finally {
        attempt.clear()
      }
    }
    return next(request, signal)
  }
}

/** Returns the delay before the next attempt in milliseconds; Infinity if the error is not worth one. */
function computeDelayMs(
  { code, retryAfterMs = 0 }: BrokerError,
  tookMs: number,
  attempts: number,
  random: () => number,
): number {
  const isTransient =
    code === 'entra_unavailable' ||
    code === 'entra_unreachable' ||
    (code === 'entra_throttled' && retryAfterMs > 0)
  if (!isTransient || tookMs > MAX_QUICK_FAILURE_MS || retryAfterMs > MAX_AWAITED_RETRY_AFTER_MS) {
    return Infinity
  }
  const backoffMs = maxBackoffMs(BACKOFF, attempts) * random()
  return Math.max(MIN_DELAY_MS, backoffMs, jitterRetryAfter(retryAfterMs, random))
}

interface RetryBudget {
  readonly hasRetries: () => boolean
  /** Returns false if no retry is left. */
  readonly spend: () => boolean
}

/** Limits the retries in any minute. */
function createRetryBudget(clock: Pick<Clock, 'monotonic'>): RetryBudget {
  let spentAt: readonly number[] = []

  function hasRetries(): boolean {
    spentAt = spentAt.filter((at) => at > clock.monotonic() - 60_000)
    return spentAt.length < MAX_RETRIES_PER_MINUTE
  }

  function spend(): boolean {
    if (!hasRetries()) return false
    spentAt = [...spentAt, clock.monotonic()]
    return true
  }

  return { hasRetries, spend }
}
