/** Looks up the ServiceAccounts of reviewed pods. Concurrent look-ups of one account share a call, and the calls are limited. */
import type { ApiServer } from '../../kubernetes/api-client.ts'
import { type AccountResult, readServiceAccount } from '../../kubernetes/service-account.ts'
import { createSemaphore, createSingleFlight } from '../../lib/semaphore.ts'
import { Overloaded } from './review-queue.ts'

/** Looks up a ServiceAccount. Throws `Overloaded`, and the errors of the API client. */
export type ServiceAccountLookup = (namespace: string, name: string) => Promise<AccountResult>

/** The maximum number of concurrent calls, and of look-ups that wait for one. */
const LIMITS = {
  maxConcurrent: 16,
  maxQueued: 256,
  /** The review of a look-up that has waited this long is about to time out. */
  maxWaitMs: 2000,
}

/** The time limit of a call, in milliseconds. The chart gives the whole review five seconds. */
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
    // Neither name contains a slash, so the key is unambiguous.
    return share(`${namespace}/${name}`, () => limit(read))
  }
}
