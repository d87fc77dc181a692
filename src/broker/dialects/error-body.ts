/** The error words and sentences that the dialects share. */
import { type BrokerError, type ErrorCode, isOfExchange } from '../../lib/errors.ts'

/** Returns the OAuth error word: Entra ID's own for a rejection, else one of IMDS's published words. */
export function findOAuthError(error: BrokerError): string {
  const { entra, code, isPermanent } = error
  const fallback = isPermanent ? 'invalid_request' : 'service_unavailable'
  return OAUTH_ERRORS[code] ?? entra?.error ?? fallback
}

/**
 * Returns the sentence for the caller. Errors that an operator must act on end with their code, which
 * is a heading of docs/troubleshooting.md. The fix for an error with the text of the real service is in the log.
 */
export function formatDescription({ code, message, problem }: BrokerError): string {
  const exact = EXACT_SENTENCES[code]
  if (exact !== undefined) return exact
  if (TEXTS_OF_IMDS.has(code)) return problem
  const isForOperator =
    isOfExchange(code) || code === 'resource_not_allowed' || code === 'caller_not_allowed'
  return isForOperator ? `${message} (wimds: ${code})` : message
}

const OAUTH_ERRORS: Partial<Record<ErrorCode, string>> = {
  not_found: 'not_found',
  imdsv2_not_supported: 'forbidden',
  caller_not_allowed: 'access_denied',
  method_not_allowed: 'method_not_allowed',
  entra_throttled: 'invalid_request',
  internal: 'server_error',
}

/** Sentences that clients match, word for word as the real service writes them (R6). */
const EXACT_SENTENCES: Partial<Record<ErrorCode, string>> = {
  entra_throttled: 'Temporarily throttled, too many requests',
  identity_not_found: 'Identity not found',
  identity_ambiguous:
    'Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request',
}

/** The errors whose messages begin with the text of the real service. */
const TEXTS_OF_IMDS: ReadonlySet<ErrorCode> = new Set([
  'metadata_header_missing',
  'api_version_invalid',
  'resource_missing',
])
