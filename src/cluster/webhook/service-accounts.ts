/** Looks up the ServiceAccounts of reviewed pods: coalesced, bounded, and with a negative cache. */
import { LRUCache } from 'lru-cache'
import { createSemaphore } from '../../lib/semaphore.ts'
import { createSingleFlight } from '../../lib/single-flight.ts'
import { CLIENT_ID, TENANT_ID } from '../injector/annotations.ts'
import type { ServiceAccountAnnotations } from '../injector/injection-plan.ts'
import type { ServiceAccountReader } from '../read-service-account.ts'
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

interface LookupOptions {
  /** Reads the annotations from the API server, within a time limit. */
  readonly read: ServiceAccountReader
  /** Calls of the API server at the same time. Others wait for their turn. */
  readonly maxConcurrent?: number
  /** Look-ups that wait. Beyond it, `Overloaded` is thrown. */
  readonly maxWaiting?: number
  /** A look-up that has waited this long gets `Overloaded`: its review is about to time out. */
  readonly maxWaitMs?: number
  readonly now?: () => number
}

/**
 * How long a 404 is cached. The API server checks that the ServiceAccount exists before it calls the
 * webhook, so a 404 means a forged review, or an account that was deleted a moment ago.
 */
const NEGATIVE_TTL_MS = 5000
const MAX_NEGATIVE_ENTRIES = 1000

/** The annotations that are read; no other is kept. */
const ANNOTATIONS: readonly string[] = [CLIENT_ID, TENANT_ID]
/** Longer than any GUID or domain name. */
const MAX_VALUE_LENGTH = 256

const MISSING: ServiceAccountResult = { problem: 'does not exist; create it first' }

/** Creates the look-up. Every review reads its account again, so a changed annotation applies at once. */
export function createServiceAccountLookup({
  read,
  maxConcurrent = 16,
  maxWaiting = 256,
  maxWaitMs = 2000,
  now = () => performance.now(),
}: LookupOptions): ServiceAccountLookup {
  const share = createSingleFlight<ServiceAccountResult>()
  const missing = new LRUCache<string, true>({
    max: MAX_NEGATIVE_ENTRIES,
    ttl: NEGATIVE_TTL_MS,
    ttlResolution: 0,
    perf: { now },
  })
  const limit = createSemaphore({
    maxConcurrent,
    maxQueued: maxWaiting,
    maxWaitMs,
    createError: (reason) =>
      new Overloaded(
        reason === 'full'
          ? 'too many ServiceAccounts to look up'
          : 'the ServiceAccount could not be looked up in time',
      ),
  })

  async function lookUp(namespace: string, name: string): Promise<ServiceAccountResult> {
    const annotations = await read(namespace, name)
    if (annotations !== undefined) return pickAnnotations(annotations)
    missing.set(`${namespace}/${name}`, true)
    return MISSING
  }

  return async (namespace, name) => {
    // No part of a name has a slash.
    const key = `${namespace}/${name}`
    if (missing.has(key)) return MISSING
    return await share(key, () => limit(() => lookUp(namespace, name)))
  }
}

function pickAnnotations(annotations: ServiceAccountAnnotations): ServiceAccountResult {
  const picked: Record<string, string> = {}
  for (const name of ANNOTATIONS) {
    const value = annotations[name]
    if (value === undefined) continue
    if (value.length > MAX_VALUE_LENGTH) {
      return { problem: `has an annotation ${name} of more than ${MAX_VALUE_LENGTH} characters` }
    }
    picked[name] = value
  }
  return { annotations: picked }
}
