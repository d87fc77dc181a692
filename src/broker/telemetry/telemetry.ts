/** The telemetry of a running sidecar: passes each event to the log, the metrics, readiness and status. */
import { LRUCache } from 'lru-cache'
import { ERROR_KINDS, formatProblem } from '../../lib/errors.ts'
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import { createSkewMonitor } from '../exchange/clock-skew.ts'
import { type Clock, toWallTimes } from '../tokens/lifetime.ts'
import type { ExchangeEvent } from '../tokens/exchanges.ts'
import { describeClaims, describeRequest, describeResource } from './describe.ts'
import { describeFailure, errorFields } from '../../service/describe-failure.ts'
import { findProblems, type SidecarState, summarize } from './find-problems.ts'
import type { Logger, ProcessLog } from '../../service/logger.ts'
import { createMetrics } from './metrics.ts'
import { createReadiness } from './readiness.ts'
import { createReplies } from './replies.ts'
import { createStatusDocument, type FailedRequest, type Past, type PastExchange } from './status.ts'
import type { StatusDocument } from './status-schema.ts'

interface TelemetrySources extends Pick<
  SidecarState,
  'clock' | 'config' | 'entries' | 'assertions'
> {
  readonly log: ProcessLog
  /** True logs each token that a client library gets for the first time. */
  readonly auditsTokens?: boolean
}

export type Telemetry = ReturnType<typeof createTelemetry>

export function createTelemetry(sources: TelemetrySources) {
  const { clock, config, entries, assertions, log, auditsTokens = false } = sources
  const startedAt = clock.monotonic()
  const exchanges: History<PastExchange> = new LRUCache({ max: 20 })
  const failedRequests: History<FailedRequest> = new LRUCache({ max: 100 })
  let reloadProblem: string | undefined
  const isReady = createReadiness(assertions, () => log.info('ready'))
  const { onSkew, skewMs } = createSkewMonitor(clock, (message) =>
    log.warn('clock_skew', { message }),
  )
  const state: SidecarState = {
    clock,
    config,
    reloadProblem: () => reloadProblem,
    isReady,
    entries,
    assertions,
    clients: () => replies.clients(),
    skewMs,
  }
  const metrics = createMetrics(state, log.dropped)
  const replies = createReplies({
    metrics: metrics.replies,
    log,
    auditsTokens,
    now: clock.monotonic,
    onRejected: (kind, request) => addToHistory(failedRequests, kind, request, clock),
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
      const kind = JSON.stringify([identity.clientId, scope, failure?.code])
      const resource = describeResource(scope)
      const durationMs = Math.round(event.durationMs)
      const past = { identity: identity.name, resource, durationMs, failure }
      addToHistory(exchanges, kind, past, clock)
      logExchange(log, event, clock)
    },
    /** Called when a projected token was loaded or rotated, or can no longer be read. */
    onAssertion: (file: string, read: AssertionState) => {
      if (read.ok) log.info('assertion_loaded', { file, ...describeClaims(read.assertion) })
      else log.warn('assertion_failed', { file, ...errorFields(read.error) })
      isReady()
    },
    /** Reports a reload; `problem` says why the new identities file is not in use. */
    onReload: (problem: string | undefined) => {
      reloadProblem = problem
    },
    /** Called with the clock skew of each response of Entra ID: milliseconds that the local clock is ahead. */
    onSkew,
    isReady,
    /** Returns why the sidecar is not ready, each reason in a sentence. */
    readiness: () => {
      const ready = isReady()
      const problems = ready ? [] : findProblems(state)
      return { ready, reasons: problems.map(formatReason) }
    },
    /** Returns the state and the problems of the status page. */
    summarize: () => summarize(state),
    /** Returns the content of the status page, with the settings in force. */
    document: (settings: StatusDocument['settings']) =>
      createStatusDocument({
        state,
        startedAt,
        exchanges: exchanges.values(),
        failedRequests: failedRequests.values(),
        logLevel: log.level,
        settings,
      }),
  }
}

function formatReason({ summary: problem, failure }: StatusDocument['problems'][number]): string {
  return formatProblem({ problem, fix: failure?.fix })
}

/**
 * Logs `token_obtained` or `exchange_failed`. The level is `error` if the cached token will expire unless somebody fixes Entra
 * ID or the projected token.
 */
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
  const needsFix = error.isPermanent || ERROR_KINDS[error.code].source === 'assertion'
  log[isRefresh && needsFix ? 'error' : 'warn']('exchange_failed', {
    ...fields,
    ...errorFields(error),
    ...(isRefresh && { tokenLeftSeconds: Math.floor(cachedTtlMs / 1000) }),
  })
}

/** The latest event of each of the latest kinds. Its values are in order, the latest first. */
type History<T> = LRUCache<string, Past<T>>

function addToHistory<T>(kinds: History<T>, kind: string, latest: T, clock: Clock): void {
  const count = (kinds.peek(kind)?.count ?? 0) + 1
  kinds.set(kind, { latest, at: clock.monotonic(), count })
}
