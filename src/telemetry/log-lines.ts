/** What the log says of projected tokens, exchanges and replies. */
import { type Assertion, hasUnexpectedAudience } from '../exchange/assertion.ts'
import type { AssertionState } from '../exchange/assertion-watcher.ts'
import type { ReplyEvent } from '../server/wire.ts'
import { scrub } from '../secret.ts'
import type { RenewalFailure } from '../tokens/flights.ts'
import type { ExchangeEvent } from '../tokens/observed.ts'
import type { TokenRequest } from '../tokens/token.ts'
import type { SeenClient } from './client-inventory.ts'
import { errorFields } from './error-fields.ts'
import type { Logger } from './logger.ts'
import { refusalLevel } from './refusal-level.ts'

/** Whose token for what. */
function requestFields({ identity, scope }: TokenRequest) {
  // Callers choose the scope, and may put there what does not belong there.
  return { identity: identity.name, clientId: identity.clientId, scope: scrub(scope) }
}

/** `token_obtained` or `exchange_failed`. */
export function logExchange(log: Logger, { request, outcome, durationMs }: ExchangeEvent): void {
  const { correlationId } = request
  const fields = {
    ...requestFields(request),
    durationMs: Math.round(durationMs),
    ...(correlationId !== undefined && { correlationId }),
  }
  if (outcome.ok) {
    const expiresAt = new Date(outcome.token.expiresAt).toISOString()
    log.info('token_obtained', { ...fields, expiresAt })
  } else {
    log.warn('exchange_failed', { ...fields, ...errorFields(outcome.error) })
  }
}

/** `refresh_failed`: an error if only an operator can keep the held token from running out. */
export function logRenewalFailure(log: Logger, { request, error, leftMs }: RenewalFailure): void {
  log[error.isPermanent ? 'error' : 'warn']('refresh_failed', {
    ...requestFields(request),
    ...errorFields(error),
    tokenLeftSeconds: Math.floor(leftMs / 1000),
  })
}

/**
 * `assertion_loaded` or `assertion_failed`; `assertion_audience_unexpected` where no audience is configured
 * by which the reader would have refused it.
 */
export function logAssertion(
  log: Logger,
  file: string,
  state: AssertionState,
  audience: string | undefined,
): void {
  if (!state.ok) {
    log.warn('assertion_failed', { file, ...errorFields(state.error) })
    return
  }
  const fields = { file, ...claimsOf(state.assertion) }
  if (audience === undefined && hasUnexpectedAudience(state.assertion)) {
    log.warn('assertion_audience_unexpected', fields)
  } else {
    log.info('assertion_loaded', fields)
  }
}

function claimsOf({ issuer, subject, audience, expiresAt }: Assertion) {
  return { issuer, subject, audience, expiresAt: new Date(expiresAt).toISOString() }
}

/** `request_rejected`, as loudly as its code deserves; nothing for a request that was answered. */
export function logReply(
  log: Logger,
  { dialect, status, error }: ReplyEvent,
  { family, version }: SeenClient,
): void {
  if (error === undefined) return
  const client = version === '' ? family.id : `${family.id}/${version}`
  log[refusalLevel(error.code)]('request_rejected', {
    dialect,
    status,
    client,
    ...errorFields(error),
  })
}
