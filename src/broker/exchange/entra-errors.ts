/** Maps the error responses of Entra ID, the token proxy and intercepting proxies to error codes. */
import * as z from 'zod/mini'
import {
  BrokerError,
  endSentence,
  type EntraDetails,
  ERROR_KINDS,
  type ErrorCode,
} from '../../lib/errors.ts'
import { docsPage } from '../../lib/version.ts'
import { scrubAndTruncate } from '../../lib/secret.ts'
import {
  describeInternalIssuer,
  isInternalIssuer,
  PUBLIC_ISSUER_FIX,
} from '../../lib/internal-issuer.ts'
import { DEFAULT_FIXES, explainAadsts, formatFix } from '../aadsts.ts'
import { type Assertion, formatAudience, truncateClaims } from './assertion.ts'
import { describeSkew, isSkewed, SKEW_FIX } from './clock-skew.ts'
import { parseHttpDate, type TokenEndpointResponse } from './token-endpoint.ts'
import { type Destination, ENTRA, TOKEN_PROXY } from './transport-errors.ts'

/** Even with the jitter of the token cache, no Retry-After blocks a key for longer than an hour. */
const MAX_RETRY_AFTER_MS = 50 * 60_000
const MAX_DESCRIPTION = 1000
/** Entra's own errors, ids and links have less than 40 characters. */
const MAX_ID = 100
const MAX_REASON = 300
const MAX_EXCERPT = 200

/** A member of the wrong type counts as absent, so that the others can still be used. */
const optionalText = z.catch(z.optional(z.string()), undefined)
const ErrorBody = z.object({
  error: optionalText,
  error_description: optionalText,
  error_codes: z.catch(z.optional(z.array(z.number())), undefined),
  trace_id: optionalText,
  correlation_id: optionalText,
  timestamp: optionalText,
  error_uri: optionalText,
})

/**
 * Returns the error of a response without a token. Recognizes AADSTS codes by number and accepts unknown ones, since Microsoft
 * may change texts and add codes at any time (E6). `now` is epoch milliseconds.
 */
export function parseEntraError(
  response: TokenEndpointResponse,
  assertion: Omit<Assertion, 'secret'>,
  now: number,
  viaTokenProxy = false,
): BrokerError {
  const body = ErrorBody.parse(response.json ?? {})
  const description = scrubAndTruncate(body.error_description ?? '', MAX_DESCRIPTION)
  const aadsts = body.error_codes?.[0] ?? parseAadsts(description)
  const entra: EntraDetails = {
    error: toShortText(body.error),
    aadsts,
    timestamp: toShortText(body.timestamp),
    traceId: toShortText(body.trace_id),
    correlationId: toShortText(body.correlation_id),
    errorUri: toShortText(body.error_uri),
  }
  const entraTime = response.date ?? now
  const entry = explainAadsts(aadsts)
  const isTimeError = entry?.code === 'assertion_not_yet_valid'
  const isExpired = assertion.expiresAt <= entraTime
  const skewMs = now - entraTime
  if (isTimeError && isSkewed(skewMs)) {
    return new BrokerError(
      isExpired ? 'assertion_expired' : 'assertion_not_yet_valid',
      `Entra ID rejects the projected token as ${isExpired ? 'expired' : 'not yet valid'}: ${describeSkew(skewMs)}`,
      {
        fix: `${SKEW_FIX}${isExpired ? '' : ', and the clocks of the control plane, which issues the token'}`,
        entra,
      },
    )
  }
  if (isTimeError && isExpired) {
    return createExpiryRejection(assertion, ENTRA, entra)
  }
  const code = findCode(response, body.error)
  const known = entry ?? { code, fix: DEFAULT_FIXES[code] }
  const answer = description === '' ? formatResponse(response, known.code) : description
  if (!viaTokenProxy && entry?.needsPublicIssuer === true && isInternalIssuer(assertion.issuer)) {
    const reason = describeInternalIssuer(scrubAndTruncate(assertion.issuer, MAX_REASON))
    return new BrokerError('issuer_unreachable', `${endSentence(answer)} ${reason}`, {
      fix: `${PUBLIC_ISSUER_FIX}; then restart the pod`,
      entra,
      isPermanent: true,
    })
  }
  const askedMs = parseRetryAfter(String(response.headers['retry-after'] ?? ''), entraTime)
  const isAsked = askedMs !== undefined && !ERROR_KINDS[known.code].permanent
  const asked = isAsked ? `; Entra ID asks to wait ${Math.ceil(askedMs / 1000)} s` : ''
  return new BrokerError(known.code, `${answer.replace(/\.$/, '')}${asked}`, {
    fix: formatFix(known, assertion),
    entra: { ...entra, assertion: truncateClaims(assertion) },
    ...(askedMs !== undefined && { retryAfterMs: Math.min(askedMs, MAX_RETRY_AFTER_MS) }),
  })
}

function toShortText(member: string | undefined): string | undefined {
  return member === undefined ? undefined : scrubAndTruncate(member, MAX_ID)
}

/** Creates the error of a projected token that the server rejects, and that has expired by the server's clock. */
function createExpiryRejection(
  { expiresAt }: Pick<Assertion, 'expiresAt'>,
  { name }: Destination,
  entra?: EntraDetails,
): BrokerError {
  return new BrokerError(
    'assertion_expired',
    `the projected token expired at ${new Date(expiresAt).toISOString()}, so ${name} rejects it: the kubelet has not rotated the file`,
    {
      fix: "check that the file is in a projected volume, that the pod's service account exists, and the kubelet's log",
      entra,
    },
  )
}

/**
 * Returns the error if the token proxy itself rejects the request. Returns undefined for a response that may come from Entra
 * ID: it has an AADSTS code or an OAuth error, or a status that asks to wait. Status 403 means that RBAC does not allow the
 * service account to use the identity, and 401 that the token has expired or is not for the token proxy.
 */
export function parseTokenProxyError(
  response: TokenEndpointResponse,
  assertion: Pick<Assertion, 'subject' | 'audience' | 'expiresAt'>,
  clientId: string,
  now: number,
): BrokerError | undefined {
  const { status, json = {}, text } = response
  const { error, error_codes: codes, error_description: description = '' } = ErrorBody.parse(json)
  if (codes !== undefined || description.startsWith('AADSTS')) return undefined
  const reason = typeof json['message'] === 'string' ? json['message'] : text
  const answered = `the token proxy of the cluster answered ${status} ${JSON.stringify(scrubAndTruncate(reason, MAX_REASON))}`
  if (status === 403) {
    return new BrokerError(
      'token_proxy_forbidden',
      `${answered}: ${scrubAndTruncate(assertion.subject, MAX_REASON)} may not use the managed identity ${clientId}`,
      `create a ClusterRole with the verb use-managed-identity on the resource ${clientId} of the API group cid.wi.aks.azure.com, and bind the service account to it: ${docsPage('tasks/identity-bindings')} has both`,
    )
  }
  if (status === 401) {
    if (assertion.expiresAt <= (response.date ?? now)) {
      return createExpiryRejection(assertion, TOKEN_PROXY)
    }
    return new BrokerError(
      'assertion_refused',
      `${answered}: it does not accept the projected token with the audience ${formatAudience(assertion.audience)}`,
      'use the token that the AKS webhook projects for identity bindings, with the audience api://AKSIdentityBinding; for direct federation set exchangeVia: entra in the identities file',
    )
  }
  if (findCode(response, error) === 'entra_bad_response') {
    return new BrokerError(
      'entra_bad_response',
      `${answered}, which is not a response of Entra ID`,
      TOKEN_PROXY.wrongServerFix,
    )
  }
  return undefined
}

/** Returns the error code of a response whose AADSTS code is unknown or absent. */
function findCode(
  { status, json }: TokenEndpointResponse,
  error: string | undefined,
): keyof typeof DEFAULT_FIXES {
  if (status === 429) return 'entra_throttled'
  if (status === 408 || status >= 500 || error === 'temporarily_unavailable') {
    return 'entra_unavailable'
  }
  if (json === undefined || status < 400 || error === undefined) return 'entra_bad_response'
  return 'entra_request_rejected'
}

function formatResponse({ status, text }: TokenEndpointResponse, code: ErrorCode): string {
  const body = scrubAndTruncate(text, MAX_EXCERPT).replace(/\s+/g, ' ').trim()
  const answered = `the token endpoint answered ${status}${body === '' ? '' : ` ${JSON.stringify(body)}`}`
  return code === 'entra_bad_response'
    ? `${answered}, which is not a response of Entra ID`
    : answered
}

function parseAadsts(description: string): number | undefined {
  const [, digits] = /^AADSTS(\d{4,10}):/.exec(description) ?? []
  return digits === undefined ? undefined : Number(digits)
}

/**
 * Returns the milliseconds of a Retry-After header in seconds or as HTTP date; undefined if there is none.
 * A date is compared with Entra's clock.
 */
function parseRetryAfter(header: string, entraTime: number): number | undefined {
  const value = header.trim()
  const ms = /^\d+$/.test(value)
    ? Number(value) * 1000
    : (parseHttpDate(value) ?? entraTime) - entraTime
  return ms > 0 ? ms : undefined
}
