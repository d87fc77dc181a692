/** How errors are worded on the wire, for the dialects that share the words. */
import type { BrokerError, ErrorCode } from '../errors.ts'

/** The `error` word of IMDS's published interface that an error stands for; Entra ID's own, if it has one. */
export function oauthErrorOf(error: BrokerError): string {
  return error.entra?.error ?? OAUTH_ERRORS[error.code] ?? fallback(error)
}

/**
 * The sentence for a caller. Errors that an operator has to act on end in their code, which is a
 * heading of docs/troubleshooting.md.
 */
export function descriptionOf(error: BrokerError): string {
  const { code, message } = error
  const exact = EXACT_SENTENCES[code]
  if (exact !== undefined) return exact
  return FOR_OPERATORS.test(code) ? `${message} (wimds: ${code})` : message
}

const OAUTH_ERRORS: Partial<Record<ErrorCode, string>> = {
  not_found: 'not_found',
  method_not_allowed: 'method_not_allowed',
  entra_throttled: 'too_many_requests',
  internal: 'server_error',
}

/** Sentences that clients look for, word by word as the real service says them (R6). */
const EXACT_SENTENCES: Partial<Record<ErrorCode, string>> = {
  identity_not_found: 'Identity not found',
  identity_ambiguous:
    'Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request',
}

/** Codes of the projected token, of the way to Entra ID and of what Entra ID said. */
const FOR_OPERATORS = /^(?:assertion|entra|federated_credential|trust|issuer)_|_refused$|^resource_not_allowed$/

function fallback(error: BrokerError): string {
  return error.isPermanent ? 'invalid_request' : 'service_unavailable'
}
