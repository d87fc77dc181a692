/** What an attempt needs before its POST: an identity that is not throttled, and a permit of the process. */
import { createSemaphore, type Semaphore } from '../../lib/semaphore.ts'
import { createIdentityKey } from './cache-entry.ts'
import { createOverloadedError } from './failure.ts'
import type { IdentityFailures } from './identity-failures.ts'
import type { Attempt } from './token.ts'

const MAX_EXCHANGES = 32
/** POSTs of one identity: the others get tokens while Entra ID does not answer for it. */
const MAX_OF_IDENTITY = 24

/**
 * Creates the limit of the POSTs that run at the same time; the key of a call is its identity. Those in the background do not
 * wait behind those for callers; of each kind `maxQueued` may wait. The limit throws `overloaded` for a POST that waits for half
 * of its time limit, or finds its queue full. A POST stays in the queue after its caller has hung up.
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

/** What the attempts of a process share. */
export interface SharedLimits {
  readonly limit: Semaphore
  readonly failures: IdentityFailures
}

/** Returns attempts that are made only while their identity is not throttled, and with a permit; records what becomes of them. */
export function withPermit(attempt: Attempt, { limit, failures }: SharedLimits): Attempt {
  return async (request, signal, onSent) => {
    const key = createIdentityKey(request.identity)
    failures.requireUnthrottled(key)
    const work = () => failures.record(key, attempt(request, signal, onSent))
    return limit(work, { key, isUrgent: request.isBackground === true })
  }
}
