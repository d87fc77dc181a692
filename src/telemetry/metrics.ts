/** The metrics of a sidecar. docs/metrics.md lists them, and a test compares the two. */
import type { ErrorCode } from '../errors.ts'
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import type { IdentityDirectory } from '../identities.ts'
import { normalizeResource } from '../resource.ts'
import type { ReplyEvent } from '../server/reply.ts'
import type { Clock } from '../tokens/clock.ts'
import type { ExchangeEvent } from '../tokens/token-sources.ts'
import type { CacheEntry, CacheResult } from '../tokens/token-cache.ts'
import type { ClientInventory, SeenClient } from './clients.ts'
import type { EventName } from './events.ts'
import {
  Counter,
  createRegistry,
  Gauge,
  Histogram,
  type Registry,
  scrapeRegistry,
  type Exposition,
} from './prometheus.ts'

interface MetricsSources {
  readonly version: string
  /** Returns the identities in force: a reload can replace them. */
  readonly directory: () => IdentityDirectory
  readonly clock: Clock
  readonly inventory: Pick<ClientInventory, 'clients'>
  readonly isReady: () => boolean
  readonly entries: () => readonly CacheEntry[]
  readonly assertions: () => ReadonlyMap<string, AssertionState>
  /** Log lines dropped since the start, by event. */
  readonly droppedLines: ReadonlyMap<string, number>
}

export interface Metrics {
  readonly registry: Registry
  readonly onReply: (event: ReplyEvent, client: SeenClient) => void
  readonly onCacheResult: (result: CacheResult) => void
  /** Counts a refresh that no caller waited for. */
  readonly onRefresh: (isSuccess: boolean) => void
  readonly onExchange: (event: ExchangeEvent) => void
  /** Counts one request to Entra ID, by error code or `ok`; an exchange makes one or more. */
  readonly onAttempt: (code: ErrorCode | 'ok') => void
  readonly onSkew: (skewMs: number) => void
  /** Records a later reading of the configuration; the first one succeeded. */
  readonly onReload: (isSuccess: boolean) => void
  readonly scrape: () => Promise<Exposition>
}

/** From an answer out of the cache, through an exchange, to a caller that waited for the time limit. */
const REQUEST_BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const EXCHANGE_BUCKETS = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10]
const CACHE_RESULTS: readonly CacheResult[] = ['hit', 'miss', 'coalesced', 'negative_hit', 'bypass']
/** The events that callers or Entra ID can repeat without limit. */
const REPEATING_EVENTS: readonly EventName[] = [
  'request_rejected',
  'exchange_failed',
  'refresh_failed',
]
/** The label value of identities and resources that only requests name. */
const OTHER = 'other'

/** Creates the metrics in a new registry. Gauges are read from their sources at each scrape. */
export function createMetrics(sources: MetricsSources): Metrics {
  const { version, clock } = sources
  const registry = createRegistry()
  const registers = [registry]

  const requests = new Counter({
    name: 'wimds_requests_total',
    help: 'Requests answered, by protocol, error code (ok: none) and client library.',
    labelNames: ['protocol', 'code', 'client'],
    registers,
  })
  const requestDuration = new Histogram({
    name: 'wimds_request_duration_seconds',
    help: 'Time from request to reply, by protocol and outcome: success, client_error (4xx) or server_error (5xx).',
    labelNames: ['protocol', 'outcome'],
    buckets: REQUEST_BUCKETS,
    registers,
  })
  for (const outcome of ['success', 'client_error', 'server_error']) {
    requestDuration.zero({ protocol: 'imds', outcome })
  }
  const cacheResults = new Counter({
    name: 'wimds_token_cache_results_total',
    help: 'Token requests by cache result: hit, miss, coalesced (waited for the exchange of another request), negative_hit (a cached failure) or bypass (the caller wanted a new token).',
    labelNames: ['result'],
    registers,
  })
  for (const result of CACHE_RESULTS) cacheResults.inc({ result }, 0)
  const refreshes = new Counter({
    name: 'wimds_token_refreshes_total',
    help: 'Refreshes of cached tokens in the background, by outcome: success or failure.',
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
  attempts.inc({ code: 'ok' }, 0)
  const skew = new Gauge({
    name: 'wimds_clock_skew_seconds',
    help: 'How far the local clock is ahead of Entra ID’s; absent before the first exchange.',
    registers,
  })
  skew.remove()
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
    if (isSuccess) reloadTimestamp.set(toSeconds(clock.wall()))
  }
  onReload(true)
  registerClientMetrics(registry, sources)
  registerTokenMetrics(registry, sources)
  registerAssertionMetrics(registry, sources)
  registerStateMetrics(registry, sources)
  new Gauge({
    name: 'wimds_build_info',
    help: 'Always 1; the labels say which version runs on which Node.js.',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version, node: process.version }, 1)

  return {
    registry,
    onReply: ({ dialect: protocol, status, durationMs, error }, { library }) => {
      requests.inc({ protocol, code: error?.code ?? 'ok', client: library.id })
      requestDuration.observe({ protocol, outcome: classifyStatus(status) }, durationMs / 1000)
    },
    onCacheResult: (result) => cacheResults.inc({ result }),
    onRefresh: (isSuccess) => refreshes.inc({ outcome: isSuccess ? 'success' : 'failure' }),
    onExchange: ({ durationMs, outcome }) =>
      exchangeDuration.observe({ code: outcome.ok ? 'ok' : outcome.error.code }, durationMs / 1000),
    onAttempt: (code) => attempts.inc({ code }),
    onSkew: (skewMs) => skew.set(skewMs / 1000),
    onReload,
    scrape: () => scrapeRegistry(registry),
  }
}

function registerClientMetrics(registry: Registry, { inventory }: MetricsSources): void {
  new Counter({
    name: 'wimds_client_requests_total',
    help: 'Requests by client library and version; other: versions past the limit.',
    labelNames: ['client', 'version'],
    registers: [registry],
    collect() {
      this.reset()
      for (const { library, version, requests } of inventory.clients()) {
        this.inc({ client: library.id, version }, requests)
      }
    },
  })
  new Gauge({
    name: 'wimds_client_last_seen_timestamp_seconds',
    help: 'When a client library of this version last called, in Unix time.',
    labelNames: ['client', 'version'],
    registers: [registry],
    collect() {
      this.reset()
      for (const { library, version, lastSeenAt } of inventory.clients()) {
        this.set({ client: library.id, version }, toSeconds(lastSeenAt))
      }
    },
  })
}

function registerTokenMetrics(
  registry: Registry,
  { entries, directory }: Pick<MetricsSources, 'entries' | 'directory'>,
): void {
  const registers = [registry]
  new Gauge({
    name: 'wimds_exchange_consecutive_failures',
    help: 'The most failures in a row of any one token of the identity; 0 if the last exchanges succeeded.',
    labelNames: ['identity'],
    registers,
    collect() {
      this.reset()
      const { identityLabel } = createLabels(directory())
      const failures = new Map<string, number>()
      for (const { request, failure } of entries()) {
        const identity = identityLabel(request.identity.name)
        failures.set(identity, Math.max(failures.get(identity) ?? 0, failure?.count ?? 0))
      }
      for (const [identity, count] of failures) this.set({ identity }, count)
    },
  })
  new Gauge({
    name: 'wimds_tokens_cached',
    help: 'Access tokens in the cache.',
    registers,
    collect() {
      this.set(entries().filter(({ token }) => token !== undefined).length)
    },
  })
  new Gauge({
    name: 'wimds_tokens_failing',
    help: 'Tokens whose last exchange failed, whether or not an older token is still cached.',
    registers,
    collect() {
      this.set(entries().filter(({ failure }) => failure !== undefined).length)
    },
  })
  new Gauge({
    name: 'wimds_token_expiry_timestamp_seconds',
    help: 'When a cached token expires, in Unix time; the earliest for resource other, which stands for every resource that the configuration does not name.',
    labelNames: ['identity', 'resource'],
    registers,
    collect() {
      this.reset()
      const { tokenLabels } = createLabels(directory())
      const cached = entries().flatMap(({ request: { identity, scope }, token }) =>
        token === undefined ? [] : { labels: tokenLabels(identity.name, scope), token },
      )
      // The earliest is set last, over those with the same labels.
      cached.sort((a, b) => b.token.expiresAt - a.token.expiresAt)
      for (const { labels, token } of cached) this.set(labels, toSeconds(token.expiresAt))
    },
  })
}

function registerAssertionMetrics(registry: Registry, { assertions }: MetricsSources): void {
  new Gauge({
    name: 'wimds_assertion_readable',
    help: 'Whether the projected token file could be read and parsed at the last poll.',
    labelNames: ['file'],
    registers: [registry],
    collect() {
      this.reset()
      for (const [file, { ok }] of assertions()) this.set({ file }, Number(ok))
    },
  })
  new Gauge({
    name: 'wimds_assertion_expiry_timestamp_seconds',
    help: 'When the projected token expires, in Unix time; absent while it cannot be read.',
    labelNames: ['file'],
    registers: [registry],
    collect() {
      this.reset()
      for (const [file, state] of assertions()) {
        if (state.ok) this.set({ file }, toSeconds(state.assertion.expiresAt))
      }
    },
  })
}

function registerStateMetrics(
  registry: Registry,
  { isReady, droppedLines }: Pick<MetricsSources, 'isReady' | 'droppedLines'>,
): void {
  new Gauge({
    name: 'wimds_ready',
    help: 'Whether /readyz answers 200.',
    registers: [registry],
    collect() {
      this.set(Number(isReady()))
    },
  })
  new Counter({
    name: 'wimds_log_lines_dropped_total',
    help: 'Log lines dropped by the rate limit, by event.',
    labelNames: ['event'],
    registers: [registry],
    collect() {
      this.reset()
      for (const event of REPEATING_EVENTS) this.inc({ event }, 0)
      for (const [event, count] of droppedLines) this.inc({ event }, count)
    },
  })
}

/** Returns label values that the configuration names; all others are `other`, so callers cannot add series. */
function createLabels({ identities }: IdentityDirectory) {
  const resourcesByName = new Map(
    identities.map(({ name, prefetch, resources = [] }) => [
      name,
      new Set([...prefetch, ...resources].map(normalizeResource)),
    ]),
  )
  const identityLabel = (name: string) => (resourcesByName.has(name) ? name : OTHER)
  return {
    identityLabel,
    tokenLabels: (name: string, scope: string) => {
      const resource = normalizeResource(scope)
      const isConfigured = resourcesByName.get(name)?.has(resource) === true
      return { identity: identityLabel(name), resource: isConfigured ? resource : OTHER }
    },
  }
}

function classifyStatus(status: number): 'success' | 'client_error' | 'server_error' {
  if (status < 400) return 'success'
  return status < 500 ? 'client_error' : 'server_error'
}

function toSeconds(ms: number): number {
  return Math.round(ms / 1000)
}
