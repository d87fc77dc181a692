/** The order in which the broker's token sources stand on an exchange. */
import { type CacheOptions, cached, type TokenCache } from './token-cache.ts'
import { type Clock, systemClock } from './clock.ts'
import { limited } from './limiter.ts'
import { type ExchangeEvent, observed } from './observed.ts'
import { propagating } from './propagating.ts'
import type { TokenSource } from './token.ts'

export interface StackOptions extends Omit<CacheOptions, 'renew'> {
  readonly maxWaiting: number
  /** Exchanges that may run at the same time. */
  readonly maxConcurrent: number
  /** Limit of one try, its wait for a place included, in milliseconds. */
  readonly timeoutMs: number
  readonly clock?: Clock
  /** Told of every exchange that ended. */
  readonly onExchange: (event: ExchangeEvent) => void
}

/** How long a missing federated credential may be one that has not spread yet (E8). */
const PROPAGATION_MS = 10 * 60_000
/** This part of the places is for renewals alone, so that no flood of new requests can take them. */
const RENEWAL_SHARE = 1 / 4

/** A cache over bounded, reported exchanges. */
export function tokenStack(exchange: TokenSource, options: StackOptions): TokenCache {
  const { max, maxConcurrent, timeoutMs, clock = systemClock, onExchange } = options
  const source = observed(
    propagating(exchange, { clock, graceMs: PROPAGATION_MS, max }),
    onExchange,
    clock,
  )
  const places = Math.floor(maxConcurrent * RENEWAL_SHARE)
  const obtain = limited(source, { max: maxConcurrent - places, timeoutMs })
  const renew = places > 0 ? limited(source, { max: places, timeoutMs }) : obtain
  return cached(obtain, { ...options, renew })
}
