/**
 * The metrics of a sidecar: the counts of exchanges are here, the counts of replies in `replies.ts`, and the gauges of its
 * state in `state-metrics.ts`. `npm run docs:telemetry` writes docs/metrics.md from their help texts.
 */
import { type ErrorCode, listCodes } from '../../lib/errors.ts'
import type { ExchangeEvent } from '../tokens/exchanges.ts'
import type { SidecarState } from './find-problems.ts'
import {
  Counter,
  createRegistry,
  Histogram,
  registerBuildInfo,
  registerCollected,
  type Registry,
} from '../../service/prometheus.ts'
import { registerReplies } from './replies.ts'
import { describeState } from './state-metrics.ts'

const EXCHANGE_BUCKETS = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10]

/** The outcomes of a request to Entra ID. The only error of the projected token among them is that it has expired. */
const ATTEMPT_CODES = ['ok', 'assertion_expired', ...listCodes('exchange')]

/** Creates the metrics in a new registry. `droppedLines`: log lines dropped since the start, by event. */
export function createMetrics(state: SidecarState, droppedLines: ReadonlyMap<string, number>) {
  const registry = createRegistry()
  const replies = registerReplies([registry])
  const exchanges = registerExchanges([registry])
  registerCollected(registry, describeState(state, droppedLines))
  registerBuildInfo(registry, 'wimds_build_info')
  return { registry, replies, ...exchanges, scrape: () => registry.metrics() }
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
