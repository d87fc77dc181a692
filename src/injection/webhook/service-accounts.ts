/** Looks up the ServiceAccounts of reviewed pods: coalesced and bounded. */
import { createSemaphore } from '../../lib/semaphore.ts'
import { createSingleFlight } from '../../lib/single-flight.ts'
import {
  ACCOUNT_ANNOTATIONS,
  type ServiceAccountAnnotations,
} from '../../kubernetes/service-account.ts'
import { Overloaded } from './review-queue.ts'

/** The annotations of a ServiceAccount that a review needs, or why they cannot be used. */
export type ServiceAccountResult =
  | { readonly annotations: ServiceAccountAnnotations }
  /** Completes "the ServiceAccount NAMESPACE/NAME …". */
  | { readonly problem: string }

/** Throws `Overloaded`, and what the API server's client throws. */
export type ServiceAccountLookup = (
  namespace: string,
  name: string,
) => Promise<ServiceAccountResult>

/** Reads the annotations from the API server, within a time limit; undefined if there is no such account. */
type Read = (namespace: string, name: string) => Promise<ServiceAccountAnnotations | undefined>

/** Calls of the API server at the same time, and the look-ups that wait for one. */
const LIMITS = {
  maxConcurrent: 16,
  maxQueued: 256,
  /** The review of a look-up that has waited this long is about to time out. */
  maxWaitMs: 2000,
}

/** Longer than any GUID or domain name. */
const MAX_VALUE_LENGTH = 256

/** Creates the look-up. Every review reads its account again, so a changed annotation applies at once. */
export function createServiceAccountLookup(read: Read): ServiceAccountLookup {
  const share = createSingleFlight<ServiceAccountResult>()
  const limit = createSemaphore({
    ...LIMITS,
    createError: (reason) =>
      new Overloaded(
        reason === 'full'
          ? 'too many ServiceAccounts to look up'
          : 'the ServiceAccount could not be looked up in time',
      ),
  })
  const lookUp = async (namespace: string, name: string) =>
    pickAnnotations(await read(namespace, name))
  // No part of a name has a slash.
  return (namespace, name) =>
    share(`${namespace}/${name}`, () => limit(() => lookUp(namespace, name)))
}

/** Returns the annotations that name an identity; no other is kept. */
function pickAnnotations(annotations: ServiceAccountAnnotations | undefined): ServiceAccountResult {
  if (annotations === undefined) return { problem: 'does not exist; create it first' }
  const picked: Record<string, string> = {}
  for (const name of ACCOUNT_ANNOTATIONS.values()) {
    const value = annotations[name]
    if (value === undefined) continue
    if (value.length > MAX_VALUE_LENGTH) {
      return { problem: `has an annotation ${name} of more than ${MAX_VALUE_LENGTH} characters` }
    }
    picked[name] = value
  }
  return { annotations: picked }
}
