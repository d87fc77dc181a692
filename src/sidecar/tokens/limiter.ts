/** The limiter of exchanges: how many run at once, and how long each may take. */
import { BrokerError } from '../../lib/errors.ts'
import { startDeadline } from '../../lib/deadline.ts'
import { createSemaphore, type Semaphore } from '../../lib/semaphore.ts'
import type { TokenSource } from './token.ts'

interface LimiterOptions {
  /** Exchanges that may run at the same time. */
  readonly maxConcurrent: number
  /** Exchanges in the background, and exchanges for callers, that may wait. */
  readonly maxQueued?: number
  /**
   * How long a caller waits, in milliseconds. An exchange may wait for half of this in the queue. It ends after this
   * time in the background; for callers after twice as long, so that a late token is cached for the next ones.
   */
  readonly timeoutMs: number
  /** A limit that other token caches share; an exchange needs a permit of both. */
  readonly sharedLimit?: Semaphore | undefined
}

const RETRY_AFTER_MS = 1000

/**
 * Limits the exchanges of `next`. Further ones wait: exchanges in the background first, then the ones that callers
 * wait for. Throws `overloaded` for one that waits too long, or finds its queue full. An exchange stays in the queue
 * after its caller has hung up. `next` gets a signal that aborts at the time limit; the time in the queue counts
 * towards it.
 */
export function limitExchanges(
  next: TokenSource,
  { sharedLimit = (work) => work(), ...options }: LimiterOptions,
): TokenSource {
  const { timeoutMs } = options
  const limit = createExchangeLimit(options)
  return async (request) => {
    const { isBackground = false } = request
    const deadline = startDeadline(isBackground ? timeoutMs : 2 * timeoutMs)
    try {
      const priority = { isUrgent: isBackground }
      return await limit(
        () => sharedLimit(() => next(request, deadline.signal), priority),
        priority,
      )
    } finally {
      deadline.clear()
    }
  }
}

/** Creates a limit of concurrent exchanges, in which one waits for half of the time that a caller waits. */
export function createExchangeLimit({
  maxConcurrent,
  maxQueued = Infinity,
  timeoutMs,
}: Omit<LimiterOptions, 'sharedLimit'>): Semaphore {
  return createSemaphore({
    maxConcurrent,
    maxQueued,
    maxWaitMs: timeoutMs / 2,
    createError: () =>
      createOverloadedError('too many exchanges with Entra ID are running', 'WIMDS_MAX_EXCHANGES'),
  })
}

/** Creates the error of a request that finds no capacity, which `setting` limits. */
export function createOverloadedError(reason: string, setting: string): BrokerError {
  return new BrokerError('overloaded', reason, {
    fix: `retry, or raise ${setting}`,
    retryAfterMs: RETRY_AFTER_MS,
  })
}
