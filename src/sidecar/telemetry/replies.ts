/** The telemetry of replies: how many, how long they took, and to which clients. */
import type { IncomingHttpHeaders } from 'node:http'
import type { ReplyEvent, ServedToken } from '../server/reply.ts'
import type { CacheResult } from '../tokens/token-cache.ts'
import type { AccessToken } from '../tokens/token.ts'
import { formatAgent, MAX_AGENT_LENGTH, recognizeClient, type SeenClient } from './clients.ts'
import { logRejection, logServedToken } from './log-events.ts'
import type { Logger } from './logger.ts'
import type { Sample } from './prometheus.ts'
import type { FailedRequest } from './status.ts'

interface RepliesOptions {
  readonly log: Logger
  /** Log each token that a client library gets for the first time. */
  readonly auditsTokens: boolean
  /** The monotonic clock. */
  readonly now: () => number
  /** Called with a kind for each protocol, error code and client library. */
  readonly onRejected: (kind: string, request: FailedRequest) => void
}

export type Replies = ReturnType<typeof createReplies>

/** Creates the telemetry of replies. */
export function createReplies({ log, auditsTokens, now, onRejected }: RepliesOptions) {
  const inventory = createClientInventory(now)
  const { add, ...samples } = createReplyCounts()
  const isFirstUse = createFirstUseFilter()
  // Plain numbers: prom-client makes a string of the labels at each count.
  const cacheResults: Record<CacheResult, number> = {
    hit: 0,
    miss: 0,
    coalesced: 0,
    negative_hit: 0,
    bypass: 0,
  }
  return {
    ...samples,
    cacheResults,
    clients: inventory.clients,
    onCacheResult: (result: CacheResult) => {
      cacheResults[result] += 1
    },
    onReply: (event: ReplyEvent) => {
      const { protocol, error, headers, served } = event
      // A readiness probe on the main port is no client's request.
      if (protocol === 'none' && error === undefined) return
      const client = inventory.count(headers)
      add(event, client.library)
      if (served !== undefined && auditsTokens && isFirstUse(served, client)) {
        logServedToken(log, event, served, client)
      }
      if (error === undefined) return
      const kind = `${protocol} ${error.code} ${client.library}`
      onRejected(kind, { protocol, client, error })
      logRejection(log, event, error, client)
    },
  }
}

interface CountedClient extends SeenClient {
  requests: number
  lastSeenAt: number
}

/** Callers choose these headers, so the number of the values is bounded. */
const MAX_CACHED_HEADERS = 256
const MAX_CLIENTS = 100

/** Creates an empty inventory. `now` is the monotonic clock. */
function createClientInventory(now: () => number) {
  /** By the headers as sent: recognition costs microseconds, and callers repeat themselves. */
  const byHeaders = new Map<string, CountedClient>()
  const byLibrary = new Map<string, CountedClient>()

  function findClient(headers: IncomingHttpHeaders): CountedClient {
    const agent = formatAgent(headers)
    const cached = byHeaders.get(agent)
    if (cached !== undefined) return cached
    const { library, version: sent } = recognizeClient(headers)
    const isKnown = byLibrary.has(`${library} ${sent}`) || byLibrary.size < MAX_CLIENTS
    const version = isKnown ? sent : 'other'
    const key = `${library} ${version}`
    const added = { library, version, requests: 0, lastSeenAt: 0 }
    const client = byLibrary.get(key) ?? added
    byLibrary.set(key, client)
    if (byHeaders.size >= MAX_CACHED_HEADERS) byHeaders.clear()
    if (agent.length <= MAX_AGENT_LENGTH) byHeaders.set(agent, client)
    return client
  }

  return {
    /** Counts a request and returns its client. */
    count: (headers: IncomingHttpHeaders): SeenClient => {
      const client = findClient(headers)
      client.requests += 1
      client.lastSeenAt = now()
      return client
    },
    /** Returns every client so far, the latest first. */
    clients: (): readonly SeenClient[] =>
      [...byLibrary.values()].toSorted((a, b) => b.lastSeenAt - a.lastSeenAt),
  }
}

/** The name of the histogram. */
export const REQUEST_DURATION = 'wimds_request_duration_seconds'
/** From an answer out of the cache, through an exchange, to a caller that waited for the time limit. */
const REQUEST_BOUNDS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

type Count = Sample & { value: number }
type Outcome = 'success' | 'client_error' | 'server_error'

/** The samples of the histogram for the replies of one protocol with one outcome. */
interface Durations {
  /** Each counts the values up to its bound, in seconds. */
  readonly buckets: readonly (Count & { readonly bound: number })[]
  readonly sum: Count
  readonly count: Count
}

/**
 * Creates the counts and the histogram, in samples, which a scrape reads. Their series of the protocol `imds` start at 0.
 * Measured alone: 0.4 µs for each reply, where a counter and a histogram of prom-client take 0.8 µs. With these a cached
 * request cost 6 to 21 % more in most runs, and the bar of 1.5 times a bare server leaves 8 %.
 */
function createReplyCounts() {
  const counts = new Map<string, Count>()
  const durations = new Map<string, Durations>()

  function findDurations(protocol: string, outcome: Outcome): Durations {
    const key = `${protocol} ${outcome}`
    const labels = { protocol, outcome }
    const series = durations.get(key) ?? {
      buckets: [...REQUEST_BOUNDS, Infinity].map((bound) => ({
        bound,
        metricName: `${REQUEST_DURATION}_bucket`,
        labels: { le: bound === Infinity ? '+Inf' : bound, ...labels },
        value: 0,
      })),
      sum: { metricName: `${REQUEST_DURATION}_sum`, labels, value: 0 },
      count: { metricName: `${REQUEST_DURATION}_count`, labels, value: 0 },
    }
    durations.set(key, series)
    return series
  }

  for (const outcome of ['success', 'client_error', 'server_error'] as const)
    findDurations('imds', outcome)

  return {
    /** Counts a reply to a client library. */
    add: ({ protocol, status, durationMs, error }: ReplyEvent, client: string) => {
      const code = error?.code ?? 'ok'
      const key = `${protocol} ${code} ${client}`
      const replies = counts.get(key) ?? { labels: { protocol, code, client }, value: 0 }
      replies.value += 1
      counts.set(key, replies)
      const seconds = durationMs / 1000
      const { buckets, sum, count } = findDurations(protocol, classifyStatus(status))
      for (const bucket of buckets) if (seconds <= bucket.bound) bucket.value += 1
      sum.value += seconds
      count.value += 1
    },
    counts: (): Sample[] => [...counts.values()],
    durations: (): Sample[] =>
      [...durations.values()].flatMap(({ buckets, sum, count }) => [...buckets, sum, count]),
  }
}

function classifyStatus(status: number): Outcome {
  if (status < 400) return 'success'
  return status < 500 ? 'client_error' : 'server_error'
}

/** Creates a filter that returns true once for each pair of token and client. */
function createFirstUseFilter(): (served: ServedToken, client: SeenClient) => boolean {
  const clientsByToken = new WeakMap<AccessToken, Set<SeenClient>>()
  return ({ token }, client) => {
    const clients = clientsByToken.get(token) ?? new Set()
    clientsByToken.set(token, clients)
    return clients.size < clients.add(client).size
  }
}
