/** Gives an attempt the permit for its POST. Rejects the attempt while its identity is throttled. */
import { createSemaphore, type Semaphore } from '../../lib/semaphore.ts'
import { createIdentityKey } from './cache-entry.ts'
import { createOverloadedError } from './failure.ts'
import type { IdentityFailures } from './identity-failures.ts'
import type { Attempt } from './token.ts'

const MAX_EXCHANGES = 32
/** POSTs of one identity at most, so that the others get tokens while Entra ID does not answer for this one. */
const MAX_OF_IDENTITY = 24

/**
 * Creates the limit of the POSTs that run at the same time; the key of a call is its identity. There are two queues with
 * `maxQueued` places each: POSTs in the background do not wait behind POSTs for callers. A POST that waits for half of the time
 * limit, or finds its queue full, gets `overloaded`. A waiting POST stays in its queue after its caller has hung up.
 */
export function createExchangeLimit(timeoutMs: number, maxQueued: number): Semaphore {
  return createSemaphore({
    maxConcurrent: MAX_EXCHANGES,
    maxPerKey: MAX_OF_IDENTITY,
    maxQueued,
    maxWaitMs: timeoutMs / 2,
    createError: () =>
      createOverloadedError(
        'too many exchanges with Entra ID are running',
        'find the client that requests many resources or identities',
      ),
  })
}

/** Wraps an attempt. It runs only with a permit and if its identity is not throttled, and its outcome is recorded. */
export function withPermit(
  attempt: Attempt,
  limit: Semaphore,
  failures: IdentityFailures,
): Attempt {
  return async (request, signal, onSent) => {
    const key = createIdentityKey(request.identity)
    failures.requireUnthrottled(key)
    const work = () => failures.record(key, attempt(request, signal, onSent))
    return limit(work, { key, isUrgent: request.isBackground === true })
  }
}
