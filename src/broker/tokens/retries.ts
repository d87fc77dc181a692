/** Decides which failed attempts an exchange repeats while callers wait, after which delay, and how often. */
import type { BrokerError, ErrorCode } from '../../lib/errors.ts'
import { isInGrace } from './grace.ts'
import type { Clock } from './lifetime.ts'
import { type BackoffPolicy, jitterRetryAfter, maxBackoffMs } from './failure.ts'

/** An exchange has at most this many retries. */
export const MAX_RETRIES = 2
/** The delay before a retry: a random time between half of this and all of it. */
const BACKOFF: BackoffPolicy = { baseMs: 500, capMs: 1000 }

/** A process makes at most this many retries a minute: a fleet must not multiply the load of an outage. */
const MAX_RETRIES_PER_MINUTE = 10

/** Creates the budget of a process: a function that takes a retry, and returns false if none is left. */
export function createRetryBudget(clock: Pick<Clock, 'monotonic'>): () => boolean {
  let spentAt: readonly number[] = []
  return () => {
    const now = clock.monotonic()
    spentAt = spentAt.filter((at) => at > now - 60_000)
    if (spentAt.length >= MAX_RETRIES_PER_MINUTE) return false
    spentAt = [...spentAt, now]
    return true
  }
}

/** Returns whether the error says more than that Entra ID was silent or was not asked. */
export function isAnswer(error: BrokerError): boolean {
  return rank(error) === 2
}

/** Returns how much an error says about Entra ID. */
export function rank({ code }: BrokerError): 0 | 1 | 2 {
  if (code === 'overloaded') return 0
  return code === 'entra_timeout' ? 1 : 2
}

const TRANSIENT_CODES: ReadonlySet<ErrorCode> = new Set([
  'entra_unavailable',
  'entra_unreachable',
  'entra_timeout',
  'entra_tls',
])

/**
 * Returns the delay before a retry in milliseconds, at most `leftMs`; undefined if the error is not worth a retry, or if the
 * retry would come too late. A missing credential that may be new is worth one, since another node of Entra ID may know it
 * (E8). A 429 without Retry-After is not: Entra ID usually asks for 60 s (E5).
 */
export function computeDelayMs(
  error: BrokerError,
  retries: number,
  leftMs: number,
  random: () => number,
): number | undefined {
  const { code, retryAfterMs = 0 } = error
  const isShortThrottle = code === 'entra_throttled' && retryAfterMs > 0
  const isTransient = TRANSIENT_CODES.has(code) || isShortThrottle || isInGrace(error)
  if (!isTransient || retryAfterMs > leftMs) return undefined
  const delayMs = maxBackoffMs(BACKOFF, retries) * (1 - random() / 2)
  return Math.min(leftMs, Math.max(delayMs, jitterRetryAfter(retryAfterMs, random)))
}
