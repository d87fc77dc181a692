/** The events that the sidecar logs, and the fields of those that more than one place can cause. */
import { type BrokerError, type ErrorCode, toBrokerError } from '../errors.ts'
import { type Assertion, hasUnexpectedAudience } from '../exchange/assertion.ts'
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import { scrub } from '../secret.ts'
import type { ReplyEvent, ServedToken } from '../server/reply.ts'
import type { RefreshEvent } from '../tokens/token-cache.ts'
import type { ExchangeEvent } from '../tokens/token-sources.ts'
import type { TokenRequest } from '../tokens/token.ts'
import type { SeenClient } from './clients.ts'
import type { Logger } from './logger.ts'

/** Every event. The names are an interface: people search, count and alert on them (docs/logs.md). */
export const EVENTS = {
  config_warning: 'A setting is allowed but probably a mistake; message says which.',
  listening: 'The servers accept connections; addresses and adminAddresses list the ports.',
  listen_failed: 'An address could not be bound; the process exits with code 1.',
  ready: 'A valid projected token has been read: /readyz answers 200 from now on.',
  assertion_loaded: 'The projected token was read for the first time, or was rotated.',
  assertion_audience_unexpected:
    'As assertion_loaded, but the audience is not the one that most clouds expect.',
  assertion_failed: 'The projected token cannot be read; code and message say why.',
  config_reloaded: 'The identities file has changed, and its identities are in force.',
  config_reload_failed:
    'The identities file has changed and is not valid; message says why. The old identities stay in force.',
  token_obtained:
    'Entra ID issued an access token for identity and scope; uti identifies it in the sign-in logs.',
  token_served:
    'A client library got this token for the first time; only if WIMDS_AUDIT_LOG is true.',
  exchange_failed: 'An exchange with Entra ID failed; code, message and aadsts explain it.',
  refresh_failed:
    'A cached token could not be refreshed and is still served; it expires in tokenLeftSeconds.',
  request_rejected: 'A caller got an error; code says which, client which library called.',
  log_level_changed: 'The log level was changed on the admin port.',
  log_rate_limited: 'Lines of droppedEvent were dropped because it was logged too often.',
  draining: 'The process was asked to stop: it finishes the requests in flight.',
  shutdown_complete: 'Shutdown complete; the last line.',
  crashed: 'Unhandled error; the process exits with code 1. Written to standard error.',
} as const

/** The events that only the webhook logs. */
export const WEBHOOK_EVENTS = {
  certificate_loaded: 'A new certificate is served; it is valid until expiresAt.',
  pod_rejected:
    'A pod was rejected; namespace and pod name it, message says why, outcome whether the pod or the cluster is at fault.',
  webhook_error: 'The API server, the certificate or a review failed; message says how.',
} as const

export type EventName = keyof typeof EVENTS | keyof typeof WEBHOOK_EVENTS

/**
 * Returns the log fields of an error: code, message, Entra ID's ids and the cause. The stack is there
 * for a fault of wimds itself alone. Texts from other servers are scrubbed.
 */
export function errorFields(thrown: unknown): Readonly<Record<string, unknown>> {
  const error = toBrokerError(thrown)
  const { aadsts, traceId, correlationId } = error.entra ?? {}
  const message = scrub(error.message)
  const cause = describeCause(error)
  return {
    code: error.code,
    message,
    ...(aadsts !== undefined && { aadsts }),
    ...(traceId !== undefined && { entraTraceId: scrub(traceId) }),
    ...(correlationId !== undefined && { entraCorrelationId: scrub(correlationId) }),
    ...(cause !== undefined && !message.includes(cause) && { cause }),
  }
}

function describeCause({ code, cause }: BrokerError): string | undefined {
  if (!(cause instanceof Error)) return undefined
  return scrub(code === 'internal' ? String(cause.stack) : cause.message)
}

/** Logs `token_obtained` or `exchange_failed`. */
export function logExchange(log: Logger, { request, outcome, durationMs }: ExchangeEvent): void {
  const { correlationId } = request
  const fields = {
    ...requestFields(request),
    durationMs: Math.round(durationMs),
    ...(correlationId !== undefined && { correlationId }),
  }
  if (outcome.ok) {
    const { expiresAt, audit } = outcome.token
    log.info('token_obtained', {
      ...fields,
      expiresAt: new Date(expiresAt).toISOString(),
      ...audit,
    })
  } else {
    log.warn('exchange_failed', { ...fields, ...errorFields(outcome.error) })
  }
}

/** Logs `token_served`. */
export function logServedToken(
  log: Logger,
  { dialect: protocol }: ReplyEvent,
  { request, token }: ServedToken,
  client: SeenClient,
): void {
  const { correlationId } = request
  log.info('token_served', {
    ...requestFields(request),
    protocol,
    client: formatClient(client),
    ...(correlationId !== undefined && { correlationId }),
    ...token.audit,
  })
}

/** Logs `refresh_failed`, at `error` if no later attempt can succeed until somebody changes something. */
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
  const fields = { file, ...assertionFields(state.assertion) }
  if (configuredAudience === undefined && hasUnexpectedAudience(state.assertion)) {
    log.warn('assertion_audience_unexpected', fields)
  } else {
    log.info('assertion_loaded', fields)
  }
}

function assertionFields({ issuer, subject, audience, expiresAt }: Assertion) {
  return { issuer, subject, audience, expiresAt: new Date(expiresAt).toISOString() }
}

/** Logs `request_rejected`. */
export function logRejection(
  log: Logger,
  { dialect: protocol, status }: ReplyEvent,
  error: BrokerError,
  client: SeenClient,
): void {
  log[rejectionLevel(error.code)]('request_rejected', {
    protocol,
    status,
    client: formatClient(client),
    ...errorFields(error),
  })
}

function formatClient({ library, version }: SeenClient): string {
  return version === '' ? library.id : `${library.id}/${version}`
}

/** Errors that probes of client libraries are meant to get (R6, R7): every client start causes some. */
const PROBE_ERRORS: ReadonlySet<ErrorCode> = new Set([
  'metadata_header_missing',
  'not_found',
  'api_version_invalid',
])
/** Errors of an exchange or a projected token, which were logged when they happened. */
const ALREADY_LOGGED =
  /^(?:assertion|entra|federated_credential|issuer)_|^(?:application|tenant|resource|policy)_refused$/

/** Returns the log level for a rejection with this code. */
export function rejectionLevel(code: ErrorCode): keyof Logger {
  if (code === 'internal') return 'error'
  if (PROBE_ERRORS.has(code)) return 'debug'
  return ALREADY_LOGGED.test(code) ? 'info' : 'warn'
}
