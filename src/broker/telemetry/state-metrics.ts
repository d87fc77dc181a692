/** The metrics of what other parts know: clients, tokens, projected tokens, readiness and the log. */
import type { LogEvent } from '../../service/events.ts'
import type { IdentityDirectory } from '../identities.ts'
import { normalizeResource } from '../../lib/resource.ts'
import type { CacheEntry } from '../tokens/cache-entry.ts'
import { type Clock, toWallTime, toWallTimes } from '../tokens/lifetime.ts'
import type { TokenRequest } from '../tokens/token.ts'
import type { SeenClient } from './clients.ts'
import type { SidecarState } from './find-problems.ts'
import {
  type CollectedMetric,
  type Sample,
  toSamples,
  toUnixTime,
} from '../../service/prometheus.ts'

/** The events that callers or Entra ID can repeat without limit. */
const REPEATING_EVENTS: readonly LogEvent[] = ['request_rejected', 'exchange_failed']
/** The label value of identities and resources that only requests name. */
const OTHER = 'other'

export function describeState(
  state: SidecarState,
  droppedLines: ReadonlyMap<string, number>,
): CollectedMetric[] {
  return [
    {
      name: 'wimds_config_last_reload_successful',
      type: 'gauge',
      help: 'Whether the last reading of the configuration succeeded.',
      collect: () => Number(state.reloadProblem() === undefined),
    },
    ...describeClients(state),
    ...describeTokens(state),
    ...describeAssertions(state),
    {
      name: 'wimds_clock_skew_seconds',
      type: 'gauge',
      help: 'How far the local clock is ahead of Entra ID’s; absent before the first exchange.',
      collect: () => {
        const ms = state.skewMs()
        return ms === undefined ? undefined : ms / 1000
      },
    },
    {
      name: 'wimds_ready',
      type: 'gauge',
      help: 'Whether /readyz answers 200.',
      collect: () => Number(state.isReady()),
    },
    describeDroppedLines(droppedLines, REPEATING_EVENTS),
  ]
}

/** Describes the count of log lines that were dropped. The count of each of these `events` starts at 0. */
export function describeDroppedLines(
  dropped: ReadonlyMap<string, number>,
  events: readonly string[],
): CollectedMetric {
  return {
    name: 'wimds_log_lines_dropped_total',
    type: 'counter',
    help: 'Log lines dropped by the rate limit, or because standard output stalled, by event.',
    labelNames: ['event'],
    collect: () =>
      toSamples('event', new Map([...events.map((event) => [event, 0] as const), ...dropped])),
  }
}

function describeClients({ clients, clock }: SidecarState): CollectedMetric[] {
  const labelNames = ['client', 'version']
  const sampleEach = (read: (client: SeenClient) => number) =>
    clients().map((client) => ({
      labels: { client: client.library, version: client.version },
      value: read(client),
    }))
  return [
    {
      name: 'wimds_client_requests_total',
      type: 'counter',
      help: 'Requests by client library and version; other: versions past the limit.',
      labelNames,
      collect: () => sampleEach(({ requests }) => requests),
    },
    {
      name: 'wimds_client_last_seen_timestamp_seconds',
      type: 'gauge',
      help: 'When a client library of this version last called, in Unix time.',
      labelNames,
      collect: () => sampleEach(({ lastSeenAt }) => toUnixTime(toWallTime(lastSeenAt, clock))),
    },
  ]
}

function describeTokens({ entries, config, clock }: SidecarState): CollectedMetric[] {
  const failing = () => entries().filter(({ failure }) => failure !== undefined)
  return [
    {
      name: 'wimds_exchange_consecutive_failures',
      type: 'gauge',
      help: 'The largest number of consecutive failures of a token of the identity (other: one that the configuration does not name); 0 if the last exchanges succeeded.',
      labelNames: ['identity'],
      collect: () => {
        const labelsOf = createLabels(config().directory)
        const failures = new Map<string, number>()
        for (const { request, failure } of entries()) {
          const { identity } = labelsOf(request)
          failures.set(identity, Math.max(failures.get(identity) ?? 0, failure?.count ?? 0))
        }
        return toSamples('identity', failures)
      },
    },
    {
      name: 'wimds_tokens_failing',
      type: 'gauge',
      help: 'Tokens whose last exchange failed, whether or not an older token is still cached.',
      collect: () => failing().length,
    },
    {
      name: 'wimds_token_expiry_timestamp_seconds',
      type: 'gauge',
      help: 'When a cached token expires, in Unix time. Resources that the configuration does not name share the value other, which has the earliest of their expiries.',
      labelNames: ['identity', 'resource'],
      collect: () => findExpiries(entries(), config().directory, clock),
    },
    {
      name: 'wimds_failing_token_expiry_timestamp_seconds',
      type: 'gauge',
      help: 'Expiry in Unix time of a cached token whose refresh fails; absent while no refresh fails.',
      labelNames: ['identity', 'resource'],
      collect: () => findExpiries(failing(), config().directory, clock),
    },
  ]
}

/** Returns the earliest expiry of the cached tokens with the same labels. */
function findExpiries(
  entries: readonly CacheEntry[],
  directory: IdentityDirectory,
  clock: Clock,
): Sample[] {
  const labelsOf = createLabels(directory)
  const earliest = new Map<string, Sample>()
  for (const { request, token } of entries) {
    if (token === undefined) continue
    const labels = labelsOf(request)
    const value = toUnixTime(toWallTimes(token.lifetime, clock).expiresAt)
    const key = JSON.stringify(labels)
    if (value < (earliest.get(key)?.value ?? Infinity)) earliest.set(key, { labels, value })
  }
  return [...earliest.values()]
}

function describeAssertions({ assertions }: SidecarState): CollectedMetric[] {
  return [
    {
      name: 'wimds_assertion_readable',
      type: 'gauge',
      help: 'Whether the projected token file could be read and parsed at the last poll.',
      labelNames: ['file'],
      collect: () =>
        [...assertions()].map(([file, { ok }]) => ({ labels: { file }, value: Number(ok) })),
    },
    {
      name: 'wimds_assertion_expiry_timestamp_seconds',
      type: 'gauge',
      help: 'When the projected token expires, in Unix time; absent while it cannot be read.',
      labelNames: ['file'],
      collect: () =>
        [...assertions()].flatMap(([file, state]) =>
          state.ok ? { labels: { file }, value: toUnixTime(state.assertion.expiresAt) } : [],
        ),
    },
  ]
}

/**
 * Creates a function that returns the labels of a token. Values that the configuration does not name are `other`, so
 * callers cannot add series.
 */
function createLabels({ identities }: IdentityDirectory) {
  const resourcesByName = new Map(
    identities.map(({ name, prefetch, resources = [] }) => [
      name,
      new Set([...prefetch, ...resources].map(normalizeResource)),
    ]),
  )
  return ({ identity: { name }, scope }: TokenRequest) => {
    const resource = normalizeResource(scope)
    const configured = resourcesByName.get(name)
    return {
      identity: configured === undefined ? OTHER : name,
      resource: configured?.has(resource) === true ? resource : OTHER,
    }
  }
}
