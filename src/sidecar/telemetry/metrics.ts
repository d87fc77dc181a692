/** The metrics of a sidecar. docs/metrics.md lists them, and a test compares the two. */
import { type ErrorCode, listCodes } from '../../lib/errors.ts'
import type { ReplyEvent } from '../server/reply.ts'
import type { ExchangeEvent } from '../tokens/token-sources.ts'
import type { CacheResult } from '../tokens/token-cache.ts'
import type { SeenClient } from './clients.ts'
import {
  Counter,
  createRegistry,
  Gauge,
  Histogram,
  registerBuildInfo,
  registerHistogram,
  type Registry,
  scrapeRegistry,
  type Exposition,
} from './prometheus.ts'
import { createReplyCounts, type ReplyTotals } from './reply-counts.ts'
import { registerStateMetrics, type StateMetricsSources, toUnixTime } from './state-metrics.ts'

interface MetricsSources extends StateMetricsSources {
  /** Returns the `skewMs` of `trackSkew`. */
  readonly skewMs: () => number | undefined
}

export interface Metrics {
  readonly registry: Registry
  readonly onReply: (event: ReplyEvent, client: SeenClient) => void
  readonly onCacheResult: (result: CacheResult) => void
  /** Counts an exchange that was made while a token was cached. */
  readonly onRefresh: (isSuccess: boolean) => void
  readonly onExchange: (event: ExchangeEvent) => void
  /** Counts one request to Entra ID, by error code or `ok`; an exchange makes one or more. */
  readonly onAttempt: (code: ErrorCode | 'ok') => void
  /** Records a later reading of the configuration; the first one succeeded. */
  readonly onReload: (isSuccess: boolean) => void
  readonly scrape: () => Promise<Exposition>
  /** Returns the counts that the status page shows. */
  readonly readTraffic: () => TrafficSample
}

/** What a sidecar has answered since its start. */
export interface TrafficSample extends ReplyTotals {
  /** Token requests, those that were answered from the cache, and those that waited for an exchange. */
  readonly lookups: number
  readonly hits: number
  readonly waited: number
}

/** From an answer out of the cache, through an exchange, to a caller that waited for the time limit. */
const REQUEST_BOUNDS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const EXCHANGE_BUCKETS = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10]

/** The outcomes of a request to Entra ID. Of the projected token, it can only find that it has expired. */
const ATTEMPT_CODES = ['ok', 'assertion_expired', ...listCodes('exchange')]

/** Creates the metrics in a new registry. docs/metrics.md has them in the order of their registration. */
export function createMetrics(sources: MetricsSources): Metrics {
  const { clock, skewMs } = sources
  const registry = createRegistry()
  const registers = [registry]

  const replies = createReplyCounts(REQUEST_BOUNDS)
  new Counter({
    name: 'wimds_requests_total',
    help: 'Requests answered, by protocol, error code (ok: none) and client library.',
    labelNames: ['protocol', 'code', 'client'],
    registers,
    collect() {
      this.reset()
      for (const { replies: count, ...labels } of replies.counts()) this.inc(labels, count)
    },
  })
  registerHistogram(registry, {
    name: 'wimds_request_duration_seconds',
    help: 'Time from request to reply, by protocol and outcome: success, client_error (4xx) or server_error (5xx).',
    bounds: REQUEST_BOUNDS,
    collect: replies.durations,
  })
  // Numbers, which the status page reads too.
  const cacheResults: Record<CacheResult, number> = {
    hit: 0,
    miss: 0,
    coalesced: 0,
    negative_hit: 0,
    bypass: 0,
  }
  new Counter({
    name: 'wimds_token_cache_results_total',
    help: 'Token requests by cache result: hit, miss, coalesced (waited for the exchange of another request), negative_hit (a cached failure) or bypass (waited for a new token although one was cached: by bypass_cache, or in its last seconds).',
    labelNames: ['result'],
    registers,
    collect() {
      this.reset()
      for (const [result, count] of Object.entries(cacheResults)) this.inc({ result }, count)
    },
  })
  const refreshes = new Counter({
    name: 'wimds_token_refreshes_total',
    help: 'Exchanges while a token was cached, by outcome: success or failure.',
    labelNames: ['outcome'],
    registers,
  })
  for (const outcome of ['success', 'failure']) refreshes.inc({ outcome }, 0)
  const exchangeDuration = new Histogram({
    name: 'wimds_exchange_duration_seconds',
    help: 'Time of exchanges with Entra ID, all attempts included, by error code (ok: none).',
    labelNames: ['code'],
    buckets: EXCHANGE_BUCKETS,
    registers,
  })
  exchangeDuration.zero({ code: 'ok' })
  const attempts = new Counter({
    name: 'wimds_exchange_attempts_total',
    help: 'Requests to Entra ID, by error code (ok: none); an exchange makes one or more.',
    labelNames: ['code'],
    registers,
  })
  for (const code of ATTEMPT_CODES) attempts.inc({ code }, 0)
  new Gauge({
    name: 'wimds_clock_skew_seconds',
    help: 'How far the local clock is ahead of Entra ID’s; absent before the first exchange.',
    registers,
    collect() {
      const ms = skewMs()
      if (ms === undefined) this.remove()
      else this.set(ms / 1000)
    },
  })
  const reloadSuccessful = new Gauge({
    name: 'wimds_config_last_reload_successful',
    help: 'Whether the last reading of the configuration succeeded.',
    registers,
  })
  const reloadTimestamp = new Gauge({
    name: 'wimds_config_last_reload_success_timestamp_seconds',
    help: 'When the configuration in force was read, in Unix time.',
    registers,
  })
  const onReload = (isSuccess: boolean) => {
    reloadSuccessful.set(Number(isSuccess))
    if (isSuccess) reloadTimestamp.set(toUnixTime(clock.wall()))
  }
  onReload(true)
  registerStateMetrics(registry, sources)
  registerBuildInfo(registry, 'wimds_build_info')

  return {
    registry,
    onReply: (event, { library }) => replies.add(event, library.id),
    onCacheResult: (result) => {
      cacheResults[result] += 1
    },
    onRefresh: (isSuccess) => refreshes.inc({ outcome: isSuccess ? 'success' : 'failure' }),
    onExchange: ({ durationMs, outcome }) =>
      exchangeDuration.observe({ code: outcome.ok ? 'ok' : outcome.error.code }, durationMs / 1000),
    onAttempt: (code) => attempts.inc({ code }),
    onReload,
    scrape: () => scrapeRegistry(registry),
    readTraffic: () => {
      const { hit, miss, coalesced, bypass } = cacheResults
      const lookups = Object.values(cacheResults).reduce((sum, count) => sum + count, 0)
      return {
        ...replies.totals(),
        lookups,
        hits: hit,
        waited: miss + coalesced + bypass,
      }
    },
  }
}
