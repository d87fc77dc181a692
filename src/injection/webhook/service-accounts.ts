/** Looks up the ServiceAccounts of reviewed pods: coalesced and bounded. */
import type { ApiServer } from '../../kubernetes/api-client.ts'
import { type AccountResult, readServiceAccount } from '../../kubernetes/service-account.ts'
import { createSemaphore, createSingleFlight } from '../../lib/semaphore.ts'
import { Overloaded } from './review-queue.ts'

/** Throws `Overloaded`, and what the API server's client throws. */
export type ServiceAccountLookup = (namespace: string, name: string) => Promise<AccountResult>

/** Calls of the API server at the same time, and the look-ups that wait for one. */
const LIMITS = {
  maxConcurrent: 16,
  maxQueued: 256,
  /** The review of a look-up that has waited this long is about to time out. */
  maxWaitMs: 2000,
}

/** Milliseconds of a call, within a review for which the chart allows five seconds. */
const CALL_MS = 2500

/** Creates the look-up. Every review reads its account again, so a changed annotation applies at once. */
export function createServiceAccountLookup(api: ApiServer): ServiceAccountLookup {
  const share = createSingleFlight<AccountResult>()
  const limit = createSemaphore({
    ...LIMITS,
    createError: (reason) =>
      new Overloaded(
        reason === 'full'
          ? 'too many ServiceAccounts to look up'
          : 'the ServiceAccount could not be looked up in time',
      ),
  })
  return (namespace, name) => {
    const read = () => readServiceAccount(api, { namespace, name, timeoutMs: CALL_MS })
    // No part of a name has a slash.
    return share(`${namespace}/${name}`, () => limit(read))
  }
}
