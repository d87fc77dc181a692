/** What Entra ID said in place of a token → the closed list of error codes, with what to do. */
import * as z from 'zod/mini'
import { BrokerError, type EntraDetails, type ErrorCode } from '../errors.ts'
import { scrub, scrubAndTruncate } from '../secret.ts'
import { explainAadsts } from './aadsts.ts'
import type { Assertion } from './assertion.ts'
import { httpDate } from './http-date.ts'
import type { EntraAnswer } from './http-client.ts'
import { policiesIn } from './policies.ts'

const MAX_RETRY_AFTER_MS = 3_600_000
const MAX_DESCRIPTION = 1000

/** A member of another type is as good as none; the others still count. */
const orElse = z.catch
const text = orElse(z.optional(z.string()), undefined)
const ErrorBody = z.object({
  error: text,
  error_description: text,
  error_codes: orElse(z.optional(z.array(z.number())), undefined),
  trace_id: text,
  correlation_id: text,
  claims: text,
})

/**
 * The error that an answer other than a token stands for. Codes are matched by their number and
 * have a default, since Microsoft may change texts and add codes at any time. `now` is epoch
 * milliseconds.
 */
export function refusalOf(answer: EntraAnswer, now: number): BrokerError {
  const body = ErrorBody.safeParse(answer.json ?? {}).data ?? {}
  const said = scrubAndTruncate(body.error_description ?? '', MAX_DESCRIPTION)
  const aadsts = body.error_codes?.[0] ?? numberIn(said)
  const explanation = aadsts === undefined ? undefined : explainAadsts(aadsts)
  const code = explanation?.code ?? codeOf(answer, body.error)
  const policies = policiesIn(body.claims)
  const description = policies === undefined ? said : `${said} (${policies})`.trimStart()
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

/** AADSTS700024: the assertion is not within its valid time range. */
const OUT_OF_TIME = /^700024/

/** True for a refusal that a newer projected token may mend at once. */
export function isOutOfTime({ entra }: BrokerError): boolean {
  return entra?.aadsts !== undefined && OUT_OF_TIME.test(String(entra.aadsts))
}

/**
 * The refusal of an assertion that had expired by Entra's clock. `now` is epoch milliseconds by the
 * local one and counts only where the answer has no Date.
 */
export function expiredAssertion(
  refusal: BrokerError,
  { expiresAt }: Pick<Assertion, 'expiresAt'>,
  { headers }: EntraAnswer,
  now: number,
): BrokerError {
  if (!isOutOfTime(refusal) || expiresAt > entraTime(headers, now)) return refusal
  return new BrokerError(
    'assertion_expired',
    `the projected token expired at ${new Date(expiresAt).toISOString()}, and Entra ID refuses it: the kubelet has not renewed the file, so check that it is a projected volume, that the pod's service account exists, and the kubelet's log`,
    { cause: refusal, ...(refusal.entra !== undefined && { entra: refusal.entra }) },
  )
}

function codeOf({ status, json }: EntraAnswer, error: string | undefined): ErrorCode {
  if (status === 429) return 'entra_throttled'
  if (status === 408 || status >= 500 || error === 'temporarily_unavailable') {
    return 'entra_unavailable'
  }
  if (json === undefined || status < 400 || error === undefined) return 'entra_bad_response'
  return 'entra_request_rejected'
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

/**
 * Milliseconds that Entra ID asks to wait: seconds or an HTTP date, one hour at most. A date is held
 * against Entra's own clock if it says what that shows.
 */
function retryAfter(headers: EntraAnswer['headers'], now: number): number | undefined {
  const value = headers['retry-after'] ?? ''
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : untilDate(value, entraTime(headers, now))
  return ms > 0 ? Math.min(ms, MAX_RETRY_AFTER_MS) : undefined
}

function untilDate(value: string, now: number): number {
  return (httpDate(value, now) ?? now) - now
}

/** Entra's clock by its Date header, in epoch milliseconds; `now` if the answer has none. */
function entraTime(headers: EntraAnswer['headers'], now: number): number {
  return httpDate(headers['date'] ?? '', now) ?? now
}

function numberIn(description: string): number | undefined {
  const [, digits] = /^AADSTS(\d{4,10}):/.exec(description) ?? []
  return digits === undefined ? undefined : Number(digits)
}
