/**
 * The metrics of a sidecar: counts of events here, gauges of its state in `state-metrics.ts`. docs/metrics.md lists them, and
 * a test compares the two.
 */
import { type ErrorCode, listCodes } from '../../lib/errors.ts'
import type { ReplyEvent } from '../server/reply.ts'
import type { ExchangeEvent } from '../tokens/exchanges.ts'
import type { CacheResult } from '../tokens/token-cache.ts'
import {
  Counter,
  createRegistry,
  Histogram,
  registerBuildInfo,
  registerCollected,
  type Registry,
} from './prometheus.ts'
import { describeState, type StateSources } from './state-metrics.ts'

const EXCHANGE_BUCKETS = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10]

/** The outcomes of a request to Entra ID. Of the projected token, it can only find that it has expired. */
const ATTEMPT_CODES = ['ok', 'assertion_expired', ...listCodes('exchange')]

/** The range: from a cached answer, over an exchange, to a caller that waited for the time limit. */
const REQUEST_BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const OUTCOMES = ['success', 'client_error', 'server_error']
const CACHE_RESULTS: readonly CacheResult[] = ['hit', 'miss', 'coalesced', 'negative_hit', 'bypass']

/** Creates the metrics in a new registry. docs/metrics.md has them in the order of their registration. */
export function createMetrics(sources: StateSources) {
  const registry = createRegistry()
  const replies = registerReplies([registry])
  const exchanges = registerExchanges([registry])
  registerCollected(registry, describeState(sources))
  registerBuildInfo(registry, 'wimds_build_info')
  return { registry, ...replies, ...exchanges, scrape: () => registry.metrics() }
}

function registerReplies(registers: Registry[]) {
  const requests = new Counter({
    name: 'wimds_requests_total',
    help: 'Requests answered, by protocol, error code (ok: none) and client library.',
    labelNames: ['protocol', 'code', 'client'],
    registers,
  })
  const duration = new Histogram({
    name: 'wimds_request_duration_seconds',
    help: 'Time from request to reply, by protocol and outcome: success, client_error (4xx) or server_error (5xx).',
    labelNames: ['protocol', 'outcome'],
    buckets: REQUEST_BUCKETS,
    registers,
  })
  for (const outcome of OUTCOMES) duration.zero({ protocol: 'imds', outcome })
  const results = new Counter({
    name: 'wimds_token_cache_results_total',
    help: 'Token requests by cache result: hit, miss, coalesced (waited for the exchange of another request), negative_hit (a cached failure) or bypass (waited for a new token although one was cached: by bypass_cache, or in its last seconds).',
    labelNames: ['result'],
    registers,
  })
  for (const result of CACHE_RESULTS) results.inc({ result }, 0)
  return {
    countReply: ({ protocol, status, durationMs, error }: ReplyEvent, client: string) => {
      const outcome = status < 400 ? 'success' : status < 500 ? 'client_error' : 'server_error'
      requests.inc({ protocol, code: error?.code ?? 'ok', client })
      duration.observe({ protocol, outcome }, durationMs / 1000)
    },
    onCacheResult: (result: CacheResult) => results.inc({ result }),
  }
}

function registerExchanges(registers: Registry[]) {
  const refreshes = new Counter({
    name: 'wimds_token_refreshes_total',
    help: 'Exchanges while a token was cached, by outcome: success or failure.',
    labelNames: ['outcome'],
    registers,
  })
  for (const outcome of ['success', 'failure']) refreshes.inc({ outcome }, 0)
  const duration = new Histogram({
    name: 'wimds_exchange_duration_seconds',
    help: 'Time of exchanges with Entra ID, all attempts included, by error code (ok: none).',
    labelNames: ['code'],
    buckets: EXCHANGE_BUCKETS,
    registers,
  })
  duration.zero({ code: 'ok' })
  const attempts = new Counter({
    name: 'wimds_exchange_attempts_total',
    help: 'Requests to Entra ID, by error code (ok: none); an exchange makes one or more.',
    labelNames: ['code'],
    registers,
  })
  for (const code of ATTEMPT_CODES) attempts.inc({ code }, 0)
  return {
    onExchange: ({ durationMs, outcome, cachedTtlMs }: ExchangeEvent) => {
      duration.observe({ code: outcome.ok ? 'ok' : outcome.error.code }, durationMs / 1000)
      if (cachedTtlMs > 0) refreshes.inc({ outcome: outcome.ok ? 'success' : 'failure' })
    },
    onAttempt: (code: ErrorCode | 'ok') => attempts.inc({ code }),
  }
}
