/**
 * The attempts of an exchange that callers wait for, so that a cold start survives a transient failure. The delays after a
 * failed exchange, of all attempts, are in `backoff.ts`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type BrokerError, type ErrorCode, toBrokerError } from '../../lib/errors.ts'
import { type BackoffPolicy, maxBackoffMs } from '../../lib/retry.ts'
import type { Clock } from './clock.ts'
import { jitterRetryAfter } from './backoff.ts'
import type { AccessToken, TokenRequest, TokenSource } from './token.ts'

interface RetryOptions {
  readonly clock: Pick<Clock, 'monotonic'>
  /** How long a caller waits, in milliseconds: the last attempt starts in time to end within it. */
  readonly timeoutMs: number
  /** Returns [0, 1), for jitter. */
  readonly random?: () => number
}

const MAX_ATTEMPTS = 3
/** An attempt without a response for this long is hedged. */
const HEDGE_AFTER_MS = 3000
/** The time that an attempt needs at least; one after a slow failure is expected to need as long as that. */
const MIN_ATTEMPT_MS = 500
/** With jitter between half and all of it. */
const BACKOFF: BackoffPolicy = { baseMs: 500, capMs: 1000 }
/** Retries and hedges of the process in any minute: a fleet must not multiply the load of an outage. */
const MAX_EXTRA_ATTEMPTS_PER_MINUTE = 10

/**
 * Retries exchanges of `next` that failed in a way that may pass within seconds, three attempts at most. Throws
 * the error of the last attempt. An attempt that is silent for `HEDGE_AFTER_MS` goes on, and another one starts: on
 * another connection, since a connection has one request at a time. The signal ends all of them. An exchange
 * in the background has one attempt: the cache retries it, and no caller waits.
 */
export function retryExchanges(
  next: TokenSource,
  { clock, timeoutMs, random = Math.random }: RetryOptions,
): TokenSource {
  const spend = createBudget(clock)

  return async (request, signal) => {
    if (request.isBackground === true) return next(request, signal)
    const firstStartedAt = clock.monotonic()
    for (let attempts = 1; ; attempts += 1) {
      const startedAt = clock.monotonic()
      try {
        return await hedge(request, signal)
      } catch (thrown) {
        const error = toBrokerError(thrown)
        const now = clock.monotonic()
        const nextTakesMs = Math.max(now - startedAt, MIN_ATTEMPT_MS)
        const leftMs = timeoutMs - (now - firstStartedAt) - nextTakesMs
        const delayMs = computeDelayMs(error, attempts, leftMs, random)
        const isOver = attempts === MAX_ATTEMPTS || signal.aborted
        if (delayMs === undefined || isOver) throw error
        // What was not sent needs no extra attempt.
        if (!error.isRepeated && !spend()) throw error
        // If the signal aborts meanwhile, this error says why.
        await sleep(delayMs, undefined, { signal }).catch(() => Promise.reject(error))
      }
    }
  }

  /** Makes an attempt, and another one at the same time if it is silent. */
  async function hedge(request: TokenRequest, signal: AbortSignal): Promise<AccessToken> {
    const silent = new AbortController()
    const extra = new AbortController()
    const silentOrOver = AbortSignal.any([silent.signal, signal])
    try {
      const first = next(request, silentOrOver)
      const silence = sleep(HEDGE_AFTER_MS, true, { signal: silentOrOver })
      const isSilent = await Promise.race([first.then(() => false), silence]).catch(() => false)
      if (!isSilent || !spend()) return await first
      return await findFirstToken([first, next(request, AbortSignal.any([extra.signal, signal]))])
    } finally {
      // Only the first one did not answer in time.
      silent.abort(new DOMException('Another attempt has ended', 'TimeoutError'))
      extra.abort()
    }
  }
}

/** Returns the first token. Throws the first permanent error, or the last one that is more than silence. */
function findFirstToken(attempts: readonly Promise<AccessToken>[]): Promise<AccessToken> {
  let running = attempts.length
  let latest: BrokerError | undefined
  return new Promise((resolve, reject) => {
    for (const attempt of attempts) {
      attempt.then(resolve, (thrown: unknown) => {
        running -= 1
        const error = toBrokerError(thrown)
        if (error.code !== 'entra_timeout') latest = error
        if (running === 0 || error.isPermanent) reject(latest ?? error)
      })
    }
  })
}

const TRANSIENT_CODES: ReadonlySet<ErrorCode> = new Set([
  'entra_unavailable',
  'entra_unreachable',
  'entra_timeout',
  'entra_tls',
])

/**
 * Returns the delay before the next attempt in milliseconds, at most `leftMs`; undefined if the error is not worth
 * one, or if it would come too late. A 429 without Retry-After is not worth one: Entra ID usually requests 60 s (E5).
 */
function computeDelayMs(
  { code, retryAfterMs = 0 }: BrokerError,
  attempts: number,
  leftMs: number,
  random: () => number,
): number | undefined {
  const isTransient = TRANSIENT_CODES.has(code) || (code === 'entra_throttled' && retryAfterMs > 0)
  if (!isTransient || retryAfterMs > leftMs) return undefined
  const delayMs = maxBackoffMs(BACKOFF, attempts) * (1 - random() / 2)
  return Math.min(leftMs, Math.max(delayMs, jitterRetryAfter(retryAfterMs, random)))
}

/** Creates the function that takes one of the extra attempts of a minute; it returns false if none is left. */
function createBudget(clock: Pick<Clock, 'monotonic'>): () => boolean {
  let spentAt: readonly number[] = []
  return () => {
    const now = clock.monotonic()
    spentAt = spentAt.filter((at) => at > now - 60_000)
    if (spentAt.length >= MAX_EXTRA_ATTEMPTS_PER_MINUTE) return false
    spentAt = [...spentAt, now]
    return true
  }
}
