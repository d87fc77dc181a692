/** Tells a federated credential that is still spreading through Entra ID from one that is missing. */
import { LRUCache } from 'lru-cache'
import { BrokerError, toBrokerError } from '../errors.ts'
import type { Clock } from './clock.ts'
import { cacheKey, type TokenSource } from './token.ts'

interface PropagationOptions {
  readonly clock: Pick<Clock, 'monotonic'>
  /** How long a refusal may be a matter of propagation, in milliseconds. */
  readonly graceMs: number
  /** Keys to remember the first refusal of. */
  readonly max: number
}

/** A key's refusals, from the first to the last, on the monotonic clock. */
interface Refusals {
  readonly firstAt: number
  readonly lastAt: number
}

/**
 * Within the grace time of a key's first `federated_credential_not_found` it is thrown as `trust_propagating`, which
 * is temporary: Entra ID flaps between yes and no for minutes after a credential was made. A key that
 * was not refused for that long begins anew.
 */
export function propagating(next: TokenSource, options: PropagationOptions): TokenSource {
  const { clock, graceMs, max } = options
  const refusals = new LRUCache<string, Refusals>({ max })

  return async (request, signal) => {
    const key = cacheKey(request)
    try {
      const token = await next(request, signal)
      refusals.delete(key)
      return token
    } catch (error) {
      const refusal = toBrokerError(error)
      if (refusal.code !== 'federated_credential_not_found') throw refusal
      const now = clock.monotonic()
      const before = refusals.get(key)
      const firstAt = before !== undefined && now - before.lastAt < graceMs ? before.firstAt : now
      refusals.set(key, { firstAt, lastAt: now })
      throw now - firstAt >= graceMs ? refusal : stillPropagating(refusal)
    }
  }
}

function stillPropagating(refusal: BrokerError): BrokerError {
  return new BrokerError('trust_propagating', refusal.message, {
    // Without a Retry-After, which counts for nothing in a refusal that is permanent otherwise.
    cause: refusal,
    ...(refusal.entra !== undefined && { entra: refusal.entra }),
  })
}
