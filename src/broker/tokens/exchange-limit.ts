/** How many POSTs run at the same time. Those in the background do not wait behind those for callers. */
import { BrokerError } from '../../lib/errors.ts'
import { createSemaphore, type Semaphore } from '../../lib/semaphore.ts'

/**
 * Share of the connections whose callers may wait for Entra ID. The others are for callers whose token is
 * cached.
 */
const WAITING_SHARE = 3 / 4

/** Returns how many callers of a pod may wait for Entra ID, of those that may be connected. */
export function countWaiting(maxConnections: number): number {
  return Math.max(1, Math.floor(maxConnections * WAITING_SHARE))
}

interface LimitOptions {
  /** POSTs that may run at the same time: WIMDS_MAX_EXCHANGES, whose default is in `config/settings.ts`. */
  readonly maxConcurrent: number
  /** POSTs in the background, and POSTs for callers, that may wait. */
  readonly maxQueued?: number
  /** How long a caller waits, in milliseconds. A POST may wait for half of it. */
  readonly timeoutMs: number
}

/** The share of the POSTs that one identity may have: the others get tokens while Entra ID does not answer for it. */
const IDENTITY_SHARE = 3 / 4

/**
 * Creates the limit; the key of a call is its identity. It throws `overloaded` for a POST that waits too long, or finds
 * its queue full. A POST stays in the queue after its caller has hung up.
 */
export function createExchangeLimit({
  maxConcurrent,
  maxQueued = Infinity,
  timeoutMs,
}: LimitOptions): Semaphore {
  return createSemaphore({
    maxConcurrent,
    maxPerKey: Math.ceil(maxConcurrent * IDENTITY_SHARE),
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
    retryAfterMs: 1000,
  })
}
