/** What the log says of exchanges and replies. */
import type { ReplyEvent } from '../http/wire.ts'
import { scrub } from '../secret.ts'
import type { ExchangeEvent } from '../tokens/observed.ts'
import type { TokenRequest } from '../tokens/token.ts'
import type { SeenClient } from './client-inventory.ts'
import { errorFields } from './error-fields.ts'
import type { Logger } from './logger.ts'
import { refusalLevel } from './refusal-level.ts'

/** Whose token for what. */
export function requestFields({ identity, scope }: TokenRequest) {
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

/** `request_refused`, as loudly as its code deserves; nothing for a request that was answered. */
export function logReply(
  log: Logger,
  { dialect, status, error }: ReplyEvent,
  { family, version }: SeenClient,
): void {
  if (error === undefined) return
  const client = version === '' ? family.id : `${family.id}/${version}`
  log[refusalLevel(error.code)]('request_refused', {
    dialect,
    status,
    client,
    ...errorFields(error),
  })
}
