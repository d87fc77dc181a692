/** The telemetry of a running sidecar: passes each event to the log, the metrics, readiness and status. */
import type { Config } from '../config/config.ts'
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import { createSkewMonitor } from '../exchange/clock-skew.ts'
import { type Clock, toWallTimes } from '../tokens/lifetime.ts'
import type { ExchangeEvent } from '../tokens/exchanges.ts'
import type { CacheEntry } from '../tokens/cache-entry.ts'
import {
  describeClaims,
  describeFailure,
  describeRequest,
  describeResource,
  errorFields,
} from './describe.ts'
import { findProblems } from './find-problems.ts'
import type { Logger, ProcessLog } from './logger.ts'
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
  readonly config: () => Pick<Config, 'directory' | 'warnings' | 'isInPod'>
  readonly log: ProcessLog
  /** Log each token that a client library gets for the first time. */
  readonly auditsTokens?: boolean
  readonly clock: Clock
  readonly entries: () => readonly CacheEntry[]
  readonly assertions: () => ReadonlyMap<string, AssertionState>
}

export type Telemetry = ReturnType<typeof createTelemetry>

export function createTelemetry(sources: TelemetrySources) {
  const { config, log, auditsTokens = false, clock, entries, assertions } = sources
  const startedAt = clock.monotonic()
  const exchanges = createHistory<PastExchange>(20, clock.monotonic)
  const failedRequests = createHistory<FailedRequest>(100, clock.monotonic)
  let reloadProblem: string | undefined
  const readiness = createReadiness({ ...sources, onReady: () => log.info('ready') })
  const { onSkew, skewMs } = createSkewMonitor(clock, (message) =>
    log.warn('clock_skew', { message }),
  )
  const metrics = createMetrics({
    ...sources,
    directory: () => config().directory,
    skewMs,
    clients: () => replies.clients(),
    isReady: () => readiness.check().ready,
    isReloaded: () => reloadProblem === undefined,
    droppedLines: log.dropped,
  })
  const replies = createReplies({
    metrics: metrics.replies,
    log,
    auditsTokens,
    now: clock.monotonic,
    onRejected: failedRequests.add,
  })

  const describeState = () => ({
    clock,
    config: {
      ...config(),
      warnings: [...config().warnings, ...(reloadProblem ? [reloadProblem] : [])],
    },
    readiness: readiness.check(),
    entries: entries(),
    assertions: assertions(),
    skewMs: skewMs(),
  })

  return {
    ...metrics,
    onReply: replies.onReply,
    onCacheResult: replies.onCacheResult,
    onExchange: (event: ExchangeEvent) => {
      metrics.onExchange(event)
      const { request, outcome } = event
      const { identity, scope } = request
      const failure = outcome.ok ? undefined : describeFailure(outcome.error)
      exchanges.add(JSON.stringify([identity.clientId, scope, failure?.code]), {
        identity: identity.name,
        resource: describeResource(scope),
        durationMs: Math.round(event.durationMs),
        failure,
      })
      logExchange(log, event, clock)
    },
    /** Called when a projected token was loaded or rotated, or can no longer be read. */
    onAssertion: (file: string, state: AssertionState) => {
      logAssertion(log, file, state)
      readiness.check()
    },
    /** Reports a reload; `problem` says why the new identities file is not in use. */
    onReload: (problem: string | undefined) => {
      reloadProblem = problem
    },
    /** Called when every resource of WIMDS_PREFETCH has been requested once. */
    onPrefetched: readiness.onPrefetched,
    /** Called with the clock skew of each response of Entra ID: milliseconds that the local clock is ahead. */
    onSkew,
    readiness: readiness.check,
    state: () => {
      const now = describeState()
      return findState(now, findProblems(now))
    },
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

/** Logs `token_obtained` or `exchange_failed`: at level `error` if the cached token will expire unless the cause is fixed. */
function logExchange(
  log: Logger,
  { request, outcome, durationMs, cachedTtlMs }: ExchangeEvent,
  clock: Clock,
): void {
  const fields = {
    ...describeRequest(request),
    durationMs: Math.round(durationMs),
    correlationId: request.correlationId,
  }
  if (outcome.ok) {
    const { lifetime, audit } = outcome.token
    const expiresAt = new Date(toWallTimes(lifetime, clock).expiresAt).toISOString()
    log.info('token_obtained', { ...fields, expiresAt, ...audit })
    return
  }
  const { error } = outcome
  const isRefresh = cachedTtlMs > 0
  log[isRefresh && error.isPermanent ? 'error' : 'warn']('exchange_failed', {
    ...fields,
    ...errorFields(error),
    ...(isRefresh && { tokenLeftSeconds: Math.floor(cachedTtlMs / 1000) }),
  })
}

/** Logs `assertion_loaded` or `assertion_failed`. */
function logAssertion(log: Logger, file: string, state: AssertionState): void {
  if (state.ok) log.info('assertion_loaded', { file, ...describeClaims(state.assertion) })
  else log.warn('assertion_failed', { file, ...errorFields(state.error) })
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
