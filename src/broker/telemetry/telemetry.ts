/** The telemetry of a running sidecar: passes each event to the log, the metrics, readiness and status. */
import type { Config } from '../config/config.ts'
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import { createSkewMonitor } from '../exchange/clock-skew.ts'
import type { Clock } from '../tokens/clock.ts'
import type { ExchangeEvent, RefreshEvent } from '../tokens/exchanges.ts'
import type { CacheEntry } from '../tokens/cache-entry.ts'
import { describeAsked } from './describe.ts'
import { logAssertion, logExchange, logRefreshFailure } from './log-events.ts'
import type { ProcessLog } from './logger.ts'
import { createMetrics } from './metrics.ts'
import { createReadiness } from './readiness.ts'
import { createReplies } from './replies.ts'
import {
  createStatusDocument,
  type FailedRequest,
  findState,
  type Past,
  type PastExchange,
} from './status.ts'
import type { StatusDocument } from './status-schema.ts'

interface TelemetrySources extends Pick<Config, 'readyAfterPrefetch'> {
  /** Returns the configuration in force. */
  readonly config: () => Pick<Config, 'directory' | 'warnings' | 'isInPod'>
  /** The audience that assertions have been checked against; undefined: none is configured. */
  readonly audience?: string | undefined
  readonly log: ProcessLog
  /** Log each token that a client library gets for the first time. */
  readonly auditsTokens?: boolean
  readonly clock: Clock
  /** Returns the state of the token cache. */
  readonly entries: () => readonly CacheEntry[]
  /** Returns the state of each projected token file. */
  readonly assertions: () => ReadonlyMap<string, AssertionState>
}

export type Telemetry = ReturnType<typeof createTelemetry>

/** Creates the telemetry of a sidecar. */
export function createTelemetry(sources: TelemetrySources) {
  const { config, audience, log, auditsTokens = false, clock, entries, assertions } = sources
  const startedAt = clock.monotonic()
  const exchanges = createHistory<PastExchange>(20, clock.monotonic)
  const failedRequests = createHistory<FailedRequest>(100, clock.monotonic)
  const onRejected = (failed: FailedRequest) => {
    const { protocol, client, error, asked } = failed
    // Only the problem has the object id or resource id of an unknown identity.
    const unknown = asked?.identity === undefined && asked !== undefined ? error.problem : undefined
    const kind = [protocol, error.code, client.library, asked && describeAsked(asked), unknown]
    failedRequests.add(JSON.stringify(kind), failed)
  }
  const replies = createReplies({ log, auditsTokens, now: clock.monotonic, onRejected })
  const readiness = createReadiness({ ...sources, onReady: () => log.info('ready') })
  const { onSkew, skewMs } = createSkewMonitor(clock, (message) =>
    log.warn('clock_skew', { message }),
  )
  const metrics = createMetrics({
    ...sources,
    directory: () => config().directory,
    skewMs,
    replies,
    isReady: () => readiness.check().ready,
    droppedLines: log.dropped,
  })

  const describeState = () => ({
    clock,
    config: config(),
    readiness: readiness.check(),
    entries: entries(),
    assertions: assertions(),
    skewMs: skewMs(),
  })

  return {
    ...metrics,
    onReply: replies.onReply,
    onCacheResult: replies.onCacheResult,
    onRefresh: (event: RefreshEvent) => {
      metrics.onRefresh(event.error === undefined)
      if (event.error !== undefined) logRefreshFailure(log, event, event.error)
    },
    onExchange: (event: ExchangeEvent) => {
      metrics.onExchange(event)
      const { request, durationMs, outcome } = event
      const error = outcome.ok ? undefined : outcome.error
      const kind = JSON.stringify([request.identity.clientId, request.scope, error?.code])
      // Without its token, which must not outlive the cache entry.
      exchanges.add(kind, { request, durationMs, error })
      logExchange(log, event, clock)
    },
    /** Called when a projected token was loaded or rotated, or can no longer be read. */
    onAssertion: (file: string, state: AssertionState) => {
      logAssertion(log, file, state, audience)
      readiness.check()
    },
    /** Called when every resource of WIMDS_PREFETCH has been requested once. */
    onPrefetched: readiness.onPrefetched,
    /** Called with the clock skew of each response of Entra ID: milliseconds that the local clock is ahead. */
    onSkew,
    readiness: readiness.check,
    /** Returns the state of the status document. */
    state: () => findState(describeState()),
    /** Returns the content of the status page, with the settings in force. */
    document: (settings: StatusDocument['settings']) =>
      createStatusDocument({
        ...describeState(),
        startedAt,
        exchanges: exchanges.all(),
        failedRequests: failedRequests.all(),
        clients: replies.clients(),
        logLevel: log.level,
        settings,
      }),
  }
}

/** Creates a history, which keeps the latest event of each of the latest kinds. `now` is the monotonic clock. */
function createHistory<T>(maxKinds: number, now: () => number) {
  // A Map keeps the order of insertion: the first entry is the oldest.
  const kinds = new Map<string, Past<T>>()
  return {
    add: (kind: string, latest: T) => {
      const count = (kinds.get(kind)?.count ?? 0) + 1
      kinds.delete(kind)
      kinds.set(kind, { latest, at: now(), count })
      const [oldest] = kinds.keys()
      if (kinds.size > maxKinds && oldest !== undefined) kinds.delete(oldest)
    },
    /** Returns each kind, the latest first. */
    all: (): readonly Past<T>[] => [...kinds.values()].toReversed(),
  }
}
