/** What Prometheus sees. Counts are kept in plain numbers and read when it asks. */
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import type { ReplyEvent } from '../server/wire.ts'
import type { IdentityDirectory } from '../identities.ts'
import { comparableResource } from '../resource.ts'
import type { CacheEntry, CacheResult } from '../tokens/token-cache.ts'
import type { Clock } from '../tokens/clock.ts'
import { remainingMs } from '../tokens/lifetime.ts'
import type { ExchangeEvent } from '../tokens/observed.ts'
import type { ClientInventory, SeenClient } from './client-inventory.ts'
import { histogram, tally } from './counts.ts'
import { eventLoopLag } from './event-loop-lag.ts'
import { type Exposition, exposition, type Readers, type Sample } from './exposition.ts'
import { processReaders, single } from './process-metrics.ts'

interface MetricsSources {
  readonly version: string
  /** The identities of the moment: a new file may bring others. */
  readonly directory: () => IdentityDirectory
  readonly clock: Clock
  readonly inventory: Pick<ClientInventory, 'clients'>
  readonly isReady: () => boolean
  readonly entries: () => readonly CacheEntry[]
  readonly assertions: () => ReadonlyMap<string, AssertionState>
  /** How far the local clock is ahead of Entra ID's, in milliseconds; undefined: not known yet. */
  readonly skewMs: () => number | undefined
  /** Log lines left out, by event. */
  readonly suppressed: () => Iterable<Sample>
}

export interface Metrics {
  readonly onReply: (event: ReplyEvent, client: SeenClient) => void
  readonly onResult: (result: CacheResult) => void
  readonly onExchange: (event: ExchangeEvent) => void
  /** Told of each later reading of the configuration; the first one succeeded. */
  readonly onReload: (isSuccess: boolean) => void
  readonly scrape: () => Promise<Exposition>
}

const EXCHANGE_BUCKETS = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10]
/** Series of one metric that grow with the configuration. */
const MAX_SERIES = 200
/** Stands for identities and resources that only requests name. */
const OTHER = 'other'

/** Counts what it is told, and reads all else from its sources when it is scraped. */
export function metrics(sources: MetricsSources): Metrics {
  const { version, directory, clock, inventory } = sources
  const { isReady, entries, assertions, skewMs, suppressed } = sources
  const lag = eventLoopLag()
  const requests = tally()
  const results = tally()
  const exchanges = histogram(EXCHANGE_BUCKETS)
  const reload = { isSuccess: true, at: clock.wall() }
  const nameOf = labeller(directory)

  const readers: Readers = {
    ...processReaders,
    wimds_requests_total: requests.samples,
    wimds_client_requests_total: () => ofClients(inventory, ({ requests: count }) => count),
    wimds_client_last_seen_timestamp_seconds: () =>
      ofClients(inventory, ({ lastSeenAt }) => Math.round(lastSeenAt / 1000)),
    wimds_token_cache_results_total: results.samples,
    wimds_exchange_duration_seconds: exchanges.samples,
    wimds_exchange_consecutive_failures: () =>
      grouped(
        entries().map(({ request, failure }) => ({
          labels: [nameOf.identity(request.identity.name)],
          value: failure?.count ?? 0,
        })),
        Math.max,
      ),
    wimds_tokens_cached: () => single(entries().filter(({ token }) => token !== undefined).length),
    wimds_tokens_failing: () =>
      single(entries().filter(({ failure }) => failure !== undefined).length),
    wimds_token_remaining_seconds: () =>
      grouped(
        entries().flatMap(({ request: { identity, scope }, token }) =>
          token === undefined
            ? []
            : {
                labels: nameOf.resource(identity.name, scope),
                value: Math.round(remainingMs(token, clock) / 1000),
              },
        ),
        Math.min,
      ),
    wimds_assertion_readable: () =>
      [...assertions()].map(([file, { ok }]) => ({ labels: [file], value: Number(ok) })),
    wimds_assertion_remaining_seconds: () =>
      [...assertions()].flatMap(([file, state]) => {
        if (!state.ok) return []
        const remaining = state.assertion.expiresAt - clock.wall()
        return { labels: [file], value: Math.round(remaining / 1000) }
      }),
    wimds_clock_skew_seconds: () => {
      const ms = skewMs()
      return single(ms === undefined ? undefined : ms / 1000)
    },
    wimds_ready: () => single(Number(isReady())),
    wimds_config_last_reload_successful: () => single(Number(reload.isSuccess)),
    wimds_config_last_reload_timestamp_seconds: () => single(Math.round(reload.at / 1000)),
    wimds_log_lines_dropped_total: suppressed,
    wimds_event_loop_lag_seconds: () => single(lag() / 1000),
    wimds_build_info: () => [{ labels: [version, process.version], value: 1 }],
  }

  return {
    onReply: ({ dialect, error }, { family }) => {
      requests.add(dialect, error?.code ?? 'ok', family.id)
    },
    onResult: (result) => results.add(result),
    onExchange: ({ durationMs, outcome }) =>
      exchanges.observe(outcome.ok ? 'ok' : outcome.error.code, durationMs / 1000),
    onReload: (isSuccess) => {
      reload.isSuccess = isSuccess
      if (isSuccess) reload.at = clock.wall()
    },
    scrape: () => exposition(readers),
  }
}

function ofClients(
  inventory: Pick<ClientInventory, 'clients'>,
  valueOf: (client: SeenClient) => number,
): Sample[] {
  return inventory
    .clients()
    .map((client) => ({ labels: [client.family.id, client.version], value: valueOf(client) }))
}

/** Labels of what the configuration names; everything else is `other`, however many callers invent. */
function labeller(directory: () => IdentityDirectory) {
  const known = new WeakMap<IdentityDirectory, ReadonlyMap<string, ReadonlySet<string>>>()
  const resources = () => {
    const current = directory()
    const held = known.get(current) ?? resourcesByName(current)
    known.set(current, held)
    return held
  }
  const identity = (name: string) => (resources().has(name) ? name : OTHER)
  return {
    identity,
    resource: (name: string, scope: string): readonly [string, string] => {
      const resource = comparableResource(scope)
      return [identity(name), resources().get(name)?.has(resource) === true ? resource : OTHER]
    },
  }
}

function resourcesByName({ identities }: IdentityDirectory): ReadonlyMap<string, Set<string>> {
  return new Map(
    identities.map(({ name, prefetch, resources = [] }) => [
      name,
      new Set([...prefetch, ...resources].map(comparableResource)),
    ]),
  )
}

/** One sample for each set of labels, its value picked among those that share them. */
function grouped(samples: readonly Sample[], pick: (a: number, b: number) => number): Sample[] {
  const byLabels = new Map<string, Sample>()
  for (const sample of samples) {
    const key = JSON.stringify(sample.labels)
    const held = byLabels.get(key)
    if (held === undefined && byLabels.size >= MAX_SERIES) continue
    byLabels.set(key, held ? { ...held, value: pick(held.value, sample.value) } : sample)
  }
  return [...byLabels.values()]
}
