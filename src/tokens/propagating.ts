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

/**
 * Within the grace time of a key's first `trust_missing` it is thrown as `trust_propagating`, which
 * is temporary: Entra ID flaps between yes and no for minutes after a credential was made.
 */
export function propagating(next: TokenSource, options: PropagationOptions): TokenSource {
  const { clock, graceMs, max } = options
  const firstRefusals = new LRUCache<string, number>({ max })

  return async (request) => {
    const key = cacheKey(request)
    try {
      const token = await next(request)
      firstRefusals.delete(key)
      return token
    } catch (error) {
      const refusal = toBrokerError(error)
      if (refusal.code !== 'trust_missing') throw refusal
      const since = firstRefusals.get(key) ?? clock.monotonic()
      firstRefusals.set(key, since)
      if (clock.monotonic() - since >= graceMs) throw refusal
      throw new BrokerError('trust_propagating', refusal.message, {
        cause: refusal,
        ...(refusal.entra !== undefined && { entra: refusal.entra }),
      })
    }
  }
}
