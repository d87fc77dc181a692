/** The telemetry of replies: their metrics, the clients, the audit trail of tokens, and the requests that failed. */
import { type ErrorCode, isOfExchange, PROBE_ERRORS } from '../../lib/errors.ts'
import type { ReplyEvent } from '../server/reply.ts'
import { type AccessToken, CACHE_RESULTS, type CacheResult } from '../tokens/token.ts'
import { createClientInventory, type SeenClient } from './clients.ts'
import { describeFailure, errorFields } from '../../service/describe-failure.ts'
import { describeAsked, describeRequest } from './describe.ts'
import type { Logger } from '../../service/logger.ts'
import { Counter, Histogram, type Registry } from '../../service/prometheus.ts'
import type { FailedRequest } from './status.ts'

/** In seconds: from a cached answer, over an exchange, to a caller that waited until the time limit. */
const REQUEST_BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
export const OUTCOMES = ['success', 'client_error', 'server_error']

interface RepliesOptions {
  readonly metrics: ReturnType<typeof registerReplies>
  readonly log: Logger
  /** True logs each token that a client library gets for the first time. */
  readonly auditsTokens: boolean
  /** The monotonic clock. */
  readonly now: () => number
  /** Called for each reply with an error. Requests of the same `kind` differ only in texts that callers or Entra ID choose. */
  readonly onRejected: (kind: string, request: FailedRequest) => void
}

/** Creates the telemetry of replies. */
export function createReplies(options: RepliesOptions) {
  const { metrics, log, auditsTokens, now, onRejected } = options
  const { findClient, clients } = createClientInventory()
  const isFirstUse = createFirstUseFilter()
  return {
    clients,
    onCacheResult: (result: CacheResult) => metrics.cacheResults.inc({ result }),
    onReply: (event: ReplyEvent) => {
      const { protocol, status, durationMs, error, headers, asked } = event
      // A readiness probe on the main port is not a request of a client.
      if (protocol === 'none' && error === undefined) return
      const client = findClient(headers)
      client.requests += 1
      client.lastSeenAt = now()
      const outcome = status < 400 ? 'success' : status < 500 ? 'client_error' : 'server_error'
      metrics.requests.inc({ protocol, code: error?.code ?? 'ok', client: client.library })
      metrics.duration.observe({ protocol, outcome }, durationMs / 1000)
      const { request, token } = asked ?? {}
      if (error === undefined) {
        if (auditsTokens && request && token && isFirstUse(token, client)) {
          log.info('token_served', {
            ...describeRequest(request),
            protocol,
            client: formatClient(client),
            correlationId: request.correlationId,
            ...token.audit,
          })
        }
        return
      }
      const described = asked && describeAsked(asked)
      const failure = describeFailure(error)
      // Only the text of the problem has the object id or resource id of an unknown identity.
      const unknown = asked && request === undefined ? error.problem : undefined
      onRejected(JSON.stringify([protocol, client.library, error.code, described, unknown]), {
        protocol,
        client: client.library,
        clientVersion: client.version,
        ...described,
        failure,
      })
      log[chooseRejectionLevel(error.code)]('request_rejected', {
        protocol,
        status,
        client: formatClient(client),
        ...described,
        ...errorFields(error),
      })
    },
  }
}

/** Registers the counts of replies and of cache results. */
export function registerReplies(registers: Registry[]) {
  const requests = new Counter({
    name: 'wimds_requests_total',
    help: 'Requests by protocol, error code and client library. Protocol document: the rest of the metadata service; none: rejected before the protocol was known. Code ok: no error, or a reply of the real IMDS; request_abandoned: the caller hung up. Client: by User-Agent and x-client-SKU; none: without a User-Agent.',
    labelNames: ['protocol', 'code', 'client'],
    registers,
  })
  const duration = new Histogram({
    name: 'wimds_request_duration_seconds',
    help: 'Time from request to reply, or until the caller hung up, by protocol and outcome: success, client_error (4xx, and callers that hung up) or server_error (5xx).',
    labelNames: ['protocol', 'outcome'],
    buckets: REQUEST_BUCKETS,
    registers,
  })
  for (const outcome of OUTCOMES) duration.zero({ protocol: 'imds', outcome })
  const cacheResults = new Counter({
    name: 'wimds_token_cache_results_total',
    help: 'Token requests by cache result: hit, miss, coalesced (waited for the exchange of another request), negative_hit (a cached failure) or bypass (waited for a new token although one was cached: by bypass_cache, or in its last seconds).',
    labelNames: ['result'],
    registers,
  })
  for (const result of CACHE_RESULTS) cacheResults.inc({ result }, 0)
  return { requests, duration, cacheResults }
}

function formatClient({ library, version }: SeenClient): string {
  return version === '' ? library : `${library}/${version}`
}

/** Returns the log level of a rejection. */
function chooseRejectionLevel(code: ErrorCode): keyof Logger {
  if (code === 'internal') return 'error'
  if (PROBE_ERRORS.has(code)) return 'debug'
  // A failed exchange or projected token has its own log line, and a caller that hung up knows of its error.
  return isOfExchange(code) || code === 'request_abandoned' ? 'info' : 'warn'
}

/** Creates a filter that returns true once for each pair of token and client. */
function createFirstUseFilter(): (token: AccessToken, client: SeenClient) => boolean {
  const clientsByToken = new WeakMap<AccessToken, Set<SeenClient>>()
  return (token, client) => {
    const clients = clientsByToken.get(token) ?? new Set()
    clientsByToken.set(token, clients)
    return clients.size < clients.add(client).size
  }
}
