/** The metrics of what other parts know: clients, tokens, projected tokens, readiness and the log. */
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import type { IdentityDirectory } from '../identities.ts'
import { normalizeResource } from '../../lib/resource.ts'
import type { CacheEntry } from '../tokens/cache-entry.ts'
import { type Clock, toWallTime } from '../tokens/clock.ts'
import { toWallTimes } from '../tokens/lifetime.ts'
import type { ClientInventory } from './clients.ts'
import type { EventName } from './events.ts'
import { Counter, Gauge, type Registry } from './prometheus.ts'

export interface StateMetricsSources {
  readonly clock: Clock
  /** Returns the identities in force: a reload can replace them. */
  readonly directory: () => IdentityDirectory
  readonly inventory: Pick<ClientInventory, 'clients'>
  readonly isReady: () => boolean
  readonly entries: () => readonly CacheEntry[]
  readonly assertions: () => ReadonlyMap<string, AssertionState>
  /** Log lines dropped since the start, by event. */
  readonly droppedLines: ReadonlyMap<string, number>
}

/** The events that callers or Entra ID can repeat without limit. */
const REPEATING_EVENTS: readonly EventName[] = [
  'request_rejected',
  'exchange_failed',
  'refresh_failed',
]
/** The label value of identities and resources that only requests name. */
const OTHER = 'other'

/** Registers the metrics that `collect` reads from these sources. */
export function registerStateMetrics(registry: Registry, sources: StateMetricsSources): void {
  registerClientMetrics(registry, sources)
  registerTokenMetrics(registry, sources)
  registerAssertionMetrics(registry, sources)
  registerProcessMetrics(registry, sources)
}

function registerClientMetrics(
  registry: Registry,
  { clock, inventory }: StateMetricsSources,
): void {
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
        this.set({ client: library.id, version }, toUnixTime(toWallTime(lastSeenAt, clock)))
      }
    },
  })
}

function registerTokenMetrics(
  registry: Registry,
  { clock, entries, directory }: Pick<StateMetricsSources, 'clock' | 'entries' | 'directory'>,
): void {
  const registers = [registry]
  new Gauge({
    name: 'wimds_exchange_consecutive_failures',
    help: 'The largest number of consecutive failures of a token of the identity; 0 if the last exchanges succeeded.',
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
    help: 'When a cached token expires, in Unix time. Resources that the configuration does not name share the value other: the earliest of their expiries.',
    labelNames: ['identity', 'resource'],
    registers,
    collect() {
      setExpiry(this, entries())
    },
  })
  new Gauge({
    name: 'wimds_failing_token_expiry_timestamp_seconds',
    help: 'When a cached token whose refresh fails expires, in Unix time; absent while no refresh fails.',
    labelNames: ['identity', 'resource'],
    registers,
    collect() {
      setExpiry(
        this,
        entries().filter(({ failure }) => failure !== undefined),
      )
    },
  })

  /** Sets the expiry of the tokens of these entries. */
  function setExpiry(gauge: Gauge, of: readonly CacheEntry[]): void {
    gauge.reset()
    const { tokenLabels } = createLabels(directory())
    const cached = of.flatMap(({ request: { identity, scope }, token }) =>
      token === undefined
        ? []
        : {
            labels: tokenLabels(identity.name, scope),
            expiresAt: toWallTimes(token.lifetime, clock).expiresAt,
          },
    )
    // The earliest is set last, over those with the same labels.
    cached.sort((a, b) => b.expiresAt - a.expiresAt)
    for (const { labels, expiresAt } of cached) gauge.set(labels, toUnixTime(expiresAt))
  }
}

function registerAssertionMetrics(registry: Registry, { assertions }: StateMetricsSources): void {
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
        if (state.ok) this.set({ file }, toUnixTime(state.assertion.expiresAt))
      }
    },
  })
}

function registerProcessMetrics(
  registry: Registry,
  { isReady, droppedLines }: Pick<StateMetricsSources, 'isReady' | 'droppedLines'>,
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

/** Converts epoch milliseconds to Unix time. */
export function toUnixTime(ms: number): number {
  return Math.round(ms / 1000)
}
