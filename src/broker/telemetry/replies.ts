/** The telemetry of replies: how many, how long they took, and to which clients. */
import type { IncomingHttpHeaders } from 'node:http'
import type { ReplyEvent, ServedToken } from '../server/reply.ts'
import type { CacheResult } from '../tokens/token-cache.ts'
import type { AccessToken } from '../tokens/token.ts'
import { recognizeClient, type SeenClient } from './clients.ts'
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
  /** Called for each reply with an error. */
  readonly onRejected: (request: FailedRequest) => void
}

export type Replies = ReturnType<typeof createReplies>

/**
 * Creates the telemetry of replies. It counts in samples, which a scrape reads. Measured alone: with a counter and a
 * histogram of prom-client a cached request takes 8 % more CPU.
 */
export function createReplies({ log, auditsTokens, now, onRejected }: RepliesOptions) {
  const { findClient, clients } = createClientInventory()
  const counts = new Map<string, Sample & { value: number }>()
  const { observe, durations } = createHistogram()
  const isFirstUse = createFirstUseFilter()
  const cacheResults: Record<CacheResult, number> = {
    hit: 0,
    miss: 0,
    coalesced: 0,
    negative_hit: 0,
    bypass: 0,
  }
  return {
    counts: (): readonly Sample[] => [...counts.values()],
    durations,
    cacheResults,
    clients,
    onCacheResult: (result: CacheResult) => {
      cacheResults[result] += 1
    },
    onReply: (event: ReplyEvent) => {
      const { protocol, status, durationMs, error, headers, served, asked } = event
      // A readiness probe on the main port is no client's request.
      if (protocol === 'none' && error === undefined) return
      const client = findClient(headers)
      client.requests += 1
      client.lastSeenAt = now()
      const code = error?.code ?? 'ok'
      const kind = `${protocol} ${code} ${client.library}`
      const replies = counts.get(kind) ?? {
        labels: { protocol, code, client: client.library },
        value: 0,
      }
      replies.value += 1
      counts.set(kind, replies)
      observe(protocol, status, durationMs / 1000)
      if (served !== undefined && auditsTokens && isFirstUse(served, client)) {
        logServedToken(log, event, served, client)
      }
      if (error === undefined) return
      onRejected({ protocol, client, error, asked })
      logRejection(log, event, error, client)
    },
  }
}

interface CountedClient extends SeenClient {
  requests: number
  lastSeenAt: number
}

/** Callers choose these headers, so the number and length of the values are bounded. */
const MAX_CACHED_HEADERS = 256
const MAX_AGENT_LENGTH = 512
const MAX_CLIENTS = 100

/** Creates an empty inventory of clients. */
function createClientInventory() {
  /** By the headers as sent: recognition costs microseconds, and callers repeat themselves. */
  const byHeaders = new Map<string, CountedClient>()
  const byLibrary = new Map<string, CountedClient>()
  return {
    findClient: (headers: IncomingHttpHeaders): CountedClient => {
      const agent = formatAgent(headers)
      const cached = byHeaders.get(agent)
      if (cached !== undefined) return cached
      const { library, version: sent } = recognizeClient(agent)
      const isKnown = byLibrary.has(`${library} ${sent}`) || byLibrary.size < MAX_CLIENTS
      const version = isKnown ? sent : 'other'
      const key = `${library} ${version}`
      const client = byLibrary.get(key) ?? { library, version, requests: 0, lastSeenAt: 0 }
      byLibrary.set(key, client)
      if (byHeaders.size >= MAX_CACHED_HEADERS) byHeaders.clear()
      if (agent.length <= MAX_AGENT_LENGTH) byHeaders.set(agent, client)
      return client
    },
    /** Returns every client so far, the latest first. */
    clients: (): readonly SeenClient[] =>
      [...byLibrary.values()].toSorted((a, b) => b.lastSeenAt - a.lastSeenAt),
  }
}

/** Joins the User-Agent and the two headers of MSAL: `node msal.js.node/2.6.4`. */
function formatAgent(headers: IncomingHttpHeaders): string {
  const { 'user-agent': sent = '', 'x-client-sku': sku, 'x-client-ver': version } = headers
  const agent = sent.slice(0, MAX_AGENT_LENGTH)
  return sku ? `${agent} ${String(sku)}/${String(version)}` : agent
}

/** The name of the histogram. */
export const REQUEST_DURATION = 'wimds_request_duration_seconds'
/** From an answer out of the cache, through an exchange, to a caller that waited for the time limit. */
const REQUEST_BOUNDS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, Infinity]
const OUTCOMES = ['success', 'client_error', 'server_error'] as const

/** The replies of one protocol with one outcome. */
interface Durations {
  readonly labels: Sample['labels']
  /** Each counts the values up to its bound, in seconds. */
  readonly buckets: readonly { readonly bound: number; count: number }[]
  sum: number
}

/** Creates a histogram by protocol and outcome. The series of the protocol `imds` start at 0. */
function createHistogram() {
  const series = new Map<string, Durations>()

  function findSeries(protocol: string, outcome: (typeof OUTCOMES)[number]): Durations {
    const key = `${protocol} ${outcome}`
    const found = series.get(key)
    if (found !== undefined) return found
    const buckets = REQUEST_BOUNDS.map((bound) => ({ bound, count: 0 }))
    const created = { labels: { protocol, outcome }, buckets, sum: 0 }
    series.set(key, created)
    return created
  }

  for (const outcome of OUTCOMES) findSeries('imds', outcome)
  return {
    observe: (protocol: string, status: number, seconds: number) => {
      const outcome = status < 400 ? 'success' : status < 500 ? 'client_error' : 'server_error'
      const durations = findSeries(protocol, outcome)
      for (const bucket of durations.buckets) if (seconds <= bucket.bound) bucket.count += 1
      durations.sum += seconds
    },
    durations: (): readonly Sample[] => [...series.values()].flatMap(toSamples),
  }
}

function toSamples({ labels, buckets, sum }: Durations): Sample[] {
  const count = buckets.at(-1)?.count ?? 0
  return [
    ...buckets.map(({ bound, count: value }) => ({
      metricName: `${REQUEST_DURATION}_bucket`,
      labels: { le: bound === Infinity ? '+Inf' : bound, ...labels },
      value,
    })),
    { metricName: `${REQUEST_DURATION}_sum`, labels, value: sum },
    { metricName: `${REQUEST_DURATION}_count`, labels, value: count },
  ]
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
