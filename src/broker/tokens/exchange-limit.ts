/** How many exchanges run at the same time. Exchanges in the background do not wait behind callers. */
import { BrokerError } from '../../lib/errors.ts'
import { createSemaphore, type Semaphore } from '../../lib/semaphore.ts'

interface LimitOptions {
  /** Exchanges that may run at the same time. */
  readonly maxConcurrent: number
  /** Exchanges in the background, and exchanges for callers, that may wait. */
  readonly maxQueued?: number
  /** How long a caller waits, in milliseconds. An exchange may wait for half of it. */
  readonly timeoutMs: number
}

/**
 * Creates the limit. It throws `overloaded` for an exchange that waits too long, or finds its queue full. An exchange stays
 * in the queue after its caller has hung up.
 */
export function createExchangeLimit({
  maxConcurrent,
  maxQueued = Infinity,
  timeoutMs,
}: LimitOptions): Semaphore {
  return createSemaphore({
    maxConcurrent,
    maxQueued,
    maxWaitMs: timeoutMs / 2,
    createError: () =>
      createOverloadedError('too many exchanges with Entra ID are running', 'WIMDS_MAX_EXCHANGES'),
  })
}

/** Returns a limit in which a call needs a permit of both: of `own` first, then of `shared` if there is one. */
export function nestLimits(own: Semaphore, shared: Semaphore | undefined): Semaphore {
  if (shared === undefined) return own
  return (work, options) => own(() => shared(work, options), options)
}

/** Creates the error of a request that finds no capacity, which `setting` limits. */
export function createOverloadedError(reason: string, setting: string): BrokerError {
  return new BrokerError('overloaded', reason, {
    fix: `retry, or raise ${setting}`,
    retryAfterMs: 1000,
  })
}
