/** Keeps the latest exchanges and failed requests for the status page. */
import type { BrokerError } from '../../lib/errors.ts'
import type { ReplyEvent } from '../server/reply.ts'
import type { ExchangeEvent } from '../tokens/token-sources.ts'
import type { SeenClient } from './clients.ts'

/** The latest of one or more exchanges with the same request and outcome. Its token must not outlive the cache entry. */
export interface PastExchange extends Pick<ExchangeEvent, 'request' | 'durationMs'> {
  /** Undefined if it succeeded. */
  readonly error: BrokerError | undefined
  /** On the monotonic clock. */
  readonly endedAt: number
  readonly count: number
}

/** Failed requests of one kind: the same protocol, error code and client library. */
export interface FailedRequests {
  readonly protocol: string
  /** The client and the error of the latest. */
  readonly client: SeenClient
  readonly error: BrokerError
  readonly count: number
  /** On the monotonic clock. */
  readonly lastAt: number
}

export type History = ReturnType<typeof createHistory>

const MAX_ENTRIES = 20

/** Creates an empty history, which keeps twenty entries of each. `now` is the monotonic clock. */
export function createHistory(now: () => number) {
  const exchanges = createRecent<Omit<PastExchange, 'count'>>()
  const failedRequests = createRecent<Omit<FailedRequests, 'count'>>()

  return {
    onExchange: ({ request, durationMs, outcome }: ExchangeEvent) => {
      const error = outcome.ok ? undefined : outcome.error
      const key = JSON.stringify([request.identity.clientId, request.scope, error?.code])
      exchanges.add(key, { request, durationMs, error, endedAt: now() })
    },
    onReply: ({ protocol, error }: ReplyEvent, client: SeenClient) => {
      if (error === undefined) return
      const key = `${protocol} ${error.code} ${client.library.id}`
      failedRequests.add(key, { protocol, client, error, lastAt: now() })
    },
    /** Returns the exchanges, latest first. */
    exchanges: exchanges.list,
    /** Returns the failed requests, latest first. */
    failedRequests: failedRequests.list,
  }
}

/** Creates a list that keeps the latest entry of each key, with the number of all of them. */
function createRecent<Entry extends object>() {
  // A Map keeps the order of insertion: the first entry is the oldest.
  const entries = new Map<string, Entry & { readonly count: number }>()
  return {
    add: (key: string, entry: Entry) => {
      const count = (entries.get(key)?.count ?? 0) + 1
      entries.delete(key)
      entries.set(key, { ...entry, count })
      const [oldest] = entries.keys()
      if (entries.size > MAX_ENTRIES && oldest !== undefined) entries.delete(oldest)
    },
    list: () => [...entries.values()].toReversed(),
  }
}
