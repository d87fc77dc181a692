/** How many POSTs to Entra ID a process has at once. */
import { createSemaphore, type Semaphore } from '../../lib/semaphore.ts'
import { createOverloadedError } from './failure.ts'

const MAX_EXCHANGES = 32

/** The share of the POSTs that one identity may have: the others get tokens while Entra ID does not answer for it. */
const IDENTITY_SHARE = 3 / 4

/**
 * Creates the limit of the POSTs that run at the same time; the key of a call is its identity. Those in the background do not
 * wait behind those for callers; of each kind `maxQueued` may wait. The limit throws `overloaded` for a POST that waits for half
 * of its time limit, or finds its queue full. A POST stays in the queue after its caller has hung up.
 */
export function createExchangeLimit(
  {
    timeoutMs,
    maxConcurrent = MAX_EXCHANGES,
  }: { readonly timeoutMs: number; readonly maxConcurrent?: number },
  maxQueued: number,
): Semaphore {
  return createSemaphore({
    maxConcurrent,
    maxPerKey: Math.ceil(maxConcurrent * IDENTITY_SHARE),
    maxQueued,
    maxWaitMs: timeoutMs / 2,
    createError: () => createOverloadedError('too many exchanges with Entra ID are running'),
  })
}
