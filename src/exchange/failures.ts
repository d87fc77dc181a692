/** Failures of an exchange → the closed list of error codes, with what to do. */
import * as z from 'zod/mini'
import { BrokerError, type EntraDetails, type ErrorCode } from '../errors.ts'
import { scrub } from '../secret.ts'
import { explain } from './aadsts.ts'
import type { EntraAnswer } from './network.ts'

const TIMEOUTS = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
])
const TLS_CODES =
  /^(?:ERR_TLS|ERR_SSL|EPROTO|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_|INVALID_CA)/
/** The connection broke under the request, as one does that was idle for too long. */
const BROKEN_CONNECTION = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])
const MAX_RETRY_AFTER_MS = 3_600_000
const MAX_DESCRIPTION = 1000

/** The error for a request that got no answer: DNS, TCP, TLS, proxy or time. */
export function transportFailure(error: unknown): BrokerError {
  const code = failureCode(error)
  const names = error instanceof Error ? [error.name] : []
  if (names.includes('TimeoutError') || TIMEOUTS.has(code)) {
    return new BrokerError(
      'entra_timeout',
      'Entra ID did not answer in time: check the network, the firewall and the proxy between the pod and the login host',
      { cause: error },
    )
  }
  if (TLS_CODES.test(code)) {
    return new BrokerError(
      'entra_tls',
      `the TLS connection to Entra ID failed (${code}): if a proxy intercepts TLS, or the authority has a private CA, set WIMDS_CA_FILE`,
      { cause: error },
    )
  }
  return new BrokerError(
    'entra_unreachable',
    `Entra ID cannot be reached (${code}): check DNS, the firewall and the proxy between the pod and the login host`,
    { cause: error },
  )
}

/** True when the same request is worth sending once more at once, on a new connection. */
export function isBrokenConnection(error: BrokerError): boolean {
  return error.code === 'entra_unreachable' && BROKEN_CONNECTION.has(failureCode(error.cause))
}

/** A redirect would carry the assertion to another host. */
export function redirected(): BrokerError {
  return new BrokerError(
    'entra_redirected',
    'the token endpoint answered with a redirect, which is not followed: check AZURE_AUTHORITY_HOST, and for a captive proxy',
  )
}

const ErrorBody = z.object({
  error: z.optional(z.string()),
  error_description: z.optional(z.string()),
  error_codes: z.optional(z.array(z.number())),
  trace_id: z.optional(z.string()),
  correlation_id: z.optional(z.string()),
})

/**
 * The error that an answer other than a token stands for. Codes are matched by their number and
 * have a default, since Microsoft may change texts and add codes at any time. `now` is epoch
 * milliseconds.
 */
export function refusalOf(answer: EntraAnswer, now: number): BrokerError {
  const body = ErrorBody.safeParse(answer.json ?? {}).data ?? {}
  const description = scrub(body.error_description ?? '').slice(0, MAX_DESCRIPTION)
  const aadsts = body.error_codes?.[0] ?? numberIn(description)
  const explanation = aadsts === undefined ? undefined : explain(aadsts)
  const code = explanation?.code ?? codeOf(answer, body.error)
  const retryAfterMs = retryAfter(answer.headers, now)
  const entra: EntraDetails = {
    ...(body.error !== undefined && { error: scrub(body.error) }),
    ...(aadsts !== undefined && { aadsts }),
    ...(body.trace_id !== undefined && { traceId: scrub(body.trace_id) }),
    ...(body.correlation_id !== undefined && { correlationId: scrub(body.correlation_id) }),
  }
  return new BrokerError(code, messageOf(answer, code, description, explanation?.remedy), {
    entra,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  })
}

function codeOf({ status, json }: EntraAnswer, error: string | undefined): ErrorCode {
  if (status === 429) return 'entra_throttled'
  if (status === 408 || status >= 500 || error === 'temporarily_unavailable') {
    return 'entra_unavailable'
  }
  if (json === undefined || status < 400 || error === undefined) return 'entra_bad_response'
  return 'request_refused'
}

function messageOf(
  { status, excerpt }: EntraAnswer,
  code: ErrorCode,
  description: string,
  remedy: string | undefined,
): string {
  if (description !== '') return remedy === undefined ? description : `${description} → ${remedy}`
  const said = excerpt.replace(/\s+/g, ' ').trim()
  const what = `the token endpoint answered ${status}${said === '' ? '' : ` ${JSON.stringify(said)}`}`
  return code === 'entra_bad_response'
    ? `${what}, which is not an answer of Entra ID: check for a proxy in between`
    : what
}

/** Milliseconds that Entra ID asks to wait: seconds or an HTTP date, one hour at most. */
function retryAfter(headers: EntraAnswer['headers'], now: number): number | undefined {
  const value = headers['retry-after']
  if (value === undefined) return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now
  return Number.isFinite(ms) && ms > 0 ? Math.min(ms, MAX_RETRY_AFTER_MS) : undefined
}

function numberIn(description: string): number | undefined {
  const [, digits] = /^AADSTS(\d{4,10}):/.exec(description) ?? []
  return digits === undefined ? undefined : Number(digits)
}

/** The code of an error or of the innermost cause that has one. */
function failureCode(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const inner = error.cause === undefined ? 'unknown' : failureCode(error.cause)
  if (inner !== 'unknown') return inner
  return 'code' in error && typeof error.code === 'string' ? error.code : 'unknown'
}
