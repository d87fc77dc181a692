/** What Prometheus sees. Counts are kept in plain numbers and handed over when it asks. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { ReplyEvent } from '../http/metadata-server.ts'
import type { CacheEntry, CacheResult } from '../tokens/cached.ts'
import type { ExchangeEvent } from '../tokens/observed.ts'

interface MetricsSources {
  readonly version: string
  readonly isReady: () => boolean
  readonly entries: () => readonly CacheEntry[]
  /** How far the local clock is ahead of Entra ID's, in milliseconds; undefined: not known yet. */
  readonly skewMs: () => number | undefined
}

export interface Metrics {
  readonly onReply: (event: ReplyEvent) => void
  readonly onResult: (result: CacheResult) => void
  readonly onExchange: (event: ExchangeEvent) => void
  /** The exposition, and its content type. */
  readonly scrape: () => Promise<{ contentType: string; body: string }>
}

const EXCHANGE_BUCKETS = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10]

export function metrics({ version, isReady, entries, skewMs }: MetricsSources): Metrics {
  const registers = [new Registry()]
  const requests = tally(['dialect', 'code'])
  const results = tally(['result'])

  counterOf(requests, {
    name: 'wimds_requests_total',
    help: 'Requests answered, by dialect and by error code (ok: none).',
    registers,
  })
  counterOf(results, {
    name: 'wimds_token_results_total',
    help: 'Token requests by how the cache answered them.',
    registers,
  })
  const exchanges = new Histogram({
    name: 'wimds_exchange_duration_seconds',
    help: 'Time of exchanges with Entra ID, by error code (ok: none).',
    labelNames: ['code'],
    buckets: EXCHANGE_BUCKETS,
    registers,
  })
  gauge('wimds_ready', '1 once a readable projected token has been seen.', () => Number(isReady()))
  gauge('wimds_tokens_held', 'Access tokens held.', () => heldIn(entries()))
  gauge(
    'wimds_clock_skew_seconds',
    'How far the local clock is ahead of Entra ID’s; 0 before the first exchange.',
    () => (skewMs() ?? 0) / 1000,
  )
  new Gauge({
    name: 'wimds_build_info',
    help: 'Always 1; the labels say what runs.',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version, node: process.version }, 1)

  function gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read())
      },
    })
  }

  return {
    onReply: ({ dialect, error }) => requests.add(dialect, error?.code ?? 'ok'),
    onResult: (result) => results.add(result),
    onExchange: ({ durationMs, outcome }) =>
      exchanges.observe({ code: outcome.ok ? 'ok' : outcome.error.code }, durationMs / 1000),
    scrape: async () => {
      const [registry] = registers
      return { contentType: registry?.contentType ?? '', body: (await registry?.metrics()) ?? '' }
    },
  }
}

/** Numbers by label values, cheap enough for every request. */
interface Tally {
  readonly labelNames: readonly string[]
  readonly add: (...labels: readonly string[]) => void
  readonly counts: () => Iterable<readonly [labels: readonly string[], count: number]>
}

function tally(labelNames: readonly string[]): Tally {
  const counts = new Map<string, { labels: readonly string[]; count: number }>()
  return {
    labelNames,
    add: (...labels) => {
      const key = labels.join('\n')
      const held = counts.get(key)
      if (held === undefined) counts.set(key, { labels, count: 1 })
      else held.count += 1
    },
    counts: () => [...counts.values()].map(({ labels, count }) => [labels, count]),
  }
}

function counterOf(
  source: Tally,
  options: { name: string; help: string; registers: Registry[] },
): void {
  new Counter({
    ...options,
    labelNames: [...source.labelNames],
    collect() {
      this.reset()
      for (const [labels, count] of source.counts()) this.labels(...labels).inc(count)
    },
  })
}

function heldIn(entries: readonly CacheEntry[]): number {
  return entries.filter(({ token }) => token !== undefined).length
}
