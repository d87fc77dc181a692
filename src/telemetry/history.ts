/** Keeps the latest exchanges and failed requests for the status page. */
import type { ReplyEvent } from '../server/reply.ts'
import type { ExchangeEvent } from '../tokens/token-sources.ts'
import type { SeenClient } from './clients.ts'

/** The latest of one or more exchanges in a row with the same request and outcome. */
export interface PastExchange extends Omit<ExchangeEvent, 'outcome'> {
  /** Without the token, which must not outlive its place in the cache. */
  readonly outcome: { readonly ok: true } | Extract<ExchangeEvent['outcome'], { ok: false }>
  /** When it ended, in epoch milliseconds. */
  readonly endedAt: number
  readonly count: number
}

/** Failed requests of one kind: the same protocol, error code and client library. */
export interface FailedRequests {
  readonly protocol: string
  /** The client and the error of the latest. */
  readonly client: SeenClient
  readonly error: NonNullable<ReplyEvent['error']>
  readonly count: number
  /** Epoch milliseconds. */
  readonly lastAt: number
}

export interface History {
  readonly onExchange: (event: ExchangeEvent) => void
  readonly onReply: (event: ReplyEvent, client: SeenClient) => void
  /** Returns the exchanges, latest first. */
  readonly exchanges: () => readonly PastExchange[]
  /** Returns the failed requests, latest first. */
  readonly failedRequests: () => readonly FailedRequests[]
}

const MAX_ENTRIES = 20

/** Creates an empty history, which keeps twenty entries of each. `now` returns epoch milliseconds. */
export function createHistory(now: () => number): History {
  const exchanges: PastExchange[] = []
  // A Map keeps the order of insertion: the first entry is the oldest.
  const failedRequests = new Map<string, FailedRequests>()

  return {
    onExchange: (event) => {
      const [latest] = exchanges
      const isRepeat = latest !== undefined && exchangeKey(latest) === exchangeKey(event)
      if (isRepeat) exchanges.shift()
      const outcome = event.outcome.ok ? { ok: true as const } : event.outcome
      const count = isRepeat ? latest.count + 1 : 1
      exchanges.unshift({ ...event, outcome, endedAt: now(), count })
      exchanges.splice(MAX_ENTRIES)
    },
    onReply: ({ dialect: protocol, error }, client) => {
      if (error === undefined) return
      const key = `${protocol} ${error.code} ${client.library.id}`
      const count = (failedRequests.get(key)?.count ?? 0) + 1
      failedRequests.delete(key)
      failedRequests.set(key, { protocol, client, error, count, lastAt: now() })
      const [oldest] = failedRequests.keys()
      if (failedRequests.size > MAX_ENTRIES && oldest !== undefined) failedRequests.delete(oldest)
    },
    exchanges: () => [...exchanges],
    failedRequests: () => [...failedRequests.values()].toReversed(),
  }
}

function exchangeKey({
  request: { identity, scope },
  outcome,
}: Pick<PastExchange, 'request' | 'outcome'>): string {
  return JSON.stringify([identity.clientId, scope, outcome.ok ? 'ok' : outcome.error.code])
}
