/** Logs the events that have more than a name: their level and fields. */
import { type BrokerError, type ErrorCode, isOfExchange } from '../../lib/errors.ts'
import { hasUnexpectedAudience } from '../exchange/assertion.ts'
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import { scrub } from '../../lib/scrub.ts'
import type { ReplyEvent, ServedToken } from '../server/reply.ts'
import type { Clock } from '../tokens/clock.ts'
import { toWallTimes } from '../tokens/lifetime.ts'
import type { ExchangeEvent, RefreshEvent } from '../tokens/exchanges.ts'
import type { TokenRequest } from '../tokens/token.ts'
import type { SeenClient } from './clients.ts'
import { describeAsked, describeClaims, errorFields } from './describe.ts'
import type { Logger } from './logger.ts'

/** Logs `token_obtained` or `exchange_failed`. */
export function logExchange(
  log: Logger,
  { request, outcome, durationMs }: ExchangeEvent,
  clock: Clock,
): void {
  const fields = {
    ...requestFields(request),
    durationMs: Math.round(durationMs),
    correlationId: request.correlationId,
  }
  if (outcome.ok) {
    const { lifetime, audit } = outcome.token
    log.info('token_obtained', {
      ...fields,
      expiresAt: new Date(toWallTimes(lifetime, clock).expiresAt).toISOString(),
      ...audit,
    })
  } else {
    log.warn('exchange_failed', { ...fields, ...errorFields(outcome.error) })
  }
}

/** Logs `token_served`. */
export function logServedToken(
  log: Logger,
  { protocol }: ReplyEvent,
  { request, token }: ServedToken,
  client: SeenClient,
): void {
  log.info('token_served', {
    ...requestFields(request),
    protocol,
    client: formatClient(client),
    correlationId: request.correlationId,
    ...token.audit,
  })
}

/** Logs `refresh_failed`, at level `error` if the failure is permanent. */
export function logRefreshFailure(
  log: Logger,
  { request, ttlMs }: RefreshEvent,
  error: BrokerError,
): void {
  log[error.isPermanent ? 'error' : 'warn']('refresh_failed', {
    ...requestFields(request),
    ...errorFields(error),
    tokenLeftSeconds: Math.floor(ttlMs / 1000),
  })
}

/** Returns the fields of a token request. Callers choose the scope, so it is scrubbed. */
function requestFields({ identity, scope }: TokenRequest) {
  return { identity: identity.name, clientId: identity.clientId, scope: scrub(scope) }
}

/**
 * Logs `assertion_loaded` or `assertion_failed`; `assertion_audience_unexpected` where no audience is
 * configured that the assertion has been checked against.
 */
export function logAssertion(
  log: Logger,
  file: string,
  state: AssertionState,
  configuredAudience: string | undefined,
): void {
  if (!state.ok) {
    log.warn('assertion_failed', { file, ...errorFields(state.error) })
    return
  }
  const fields = { file, ...describeClaims(state.assertion) }
  if (configuredAudience === undefined && hasUnexpectedAudience(state.assertion)) {
    log.warn('assertion_audience_unexpected', fields)
  } else {
    log.info('assertion_loaded', fields)
  }
}

/** Logs `request_rejected`. */
export function logRejection(
  log: Logger,
  { protocol, status, asked }: ReplyEvent,
  error: BrokerError,
  client: SeenClient,
): void {
  log[chooseRejectionLevel(error)]('request_rejected', {
    protocol,
    status,
    client: formatClient(client),
    ...(asked && describeAsked(asked)),
    ...errorFields(error),
  })
}

function formatClient({ library, version }: SeenClient): string {
  return version === '' ? library : `${library}/${version}`
}

/** Errors that probes of client libraries are meant to get (R6, R7): every client start causes some. */
const PROBE_ERRORS: ReadonlySet<ErrorCode> = new Set([
  'metadata_header_missing',
  'not_found',
  'imdsv2_not_supported',
])
/** Returns the log level for a rejection with this error. */
export function chooseRejectionLevel({ code, isProbe }: BrokerError): keyof Logger {
  if (code === 'internal') return 'error'
  if (isProbe || PROBE_ERRORS.has(code)) return 'debug'
  // Exchanges and projected tokens that fail are logged when they do.
  return isOfExchange(code) ? 'info' : 'warn'
}
