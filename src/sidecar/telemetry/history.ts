/** Keeps the latest exchanges for the status page. */
import type { BrokerError } from '../../lib/errors.ts'
import type { ExchangeEvent } from '../tokens/token-sources.ts'

/** The latest of one or more exchanges with the same request and outcome. Its token must not outlive the cache entry. */
export interface PastExchange extends Pick<ExchangeEvent, 'request' | 'durationMs'> {
  /** Undefined if it succeeded. */
  readonly error: BrokerError | undefined
  /** On the monotonic clock. */
  readonly endedAt: number
  readonly count: number
}

const MAX_ENTRIES = 20

/** Creates an empty history, which keeps twenty exchanges. `now` is the monotonic clock. */
export function createHistory(now: () => number) {
  // A Map keeps the order of insertion: the first entry is the oldest.
  const exchanges = new Map<string, PastExchange>()
  return {
    onExchange: ({ request, durationMs, outcome }: ExchangeEvent) => {
      const error = outcome.ok ? undefined : outcome.error
      const key = JSON.stringify([request.identity.clientId, request.scope, error?.code])
      const count = (exchanges.get(key)?.count ?? 0) + 1
      exchanges.delete(key)
      exchanges.set(key, { request, durationMs, error, endedAt: now(), count })
      const [oldest] = exchanges.keys()
      if (exchanges.size > MAX_ENTRIES && oldest !== undefined) exchanges.delete(oldest)
    },
    /** Returns the exchanges, latest first. */
    exchanges: (): readonly PastExchange[] => [...exchanges.values()].toReversed(),
  }
}
