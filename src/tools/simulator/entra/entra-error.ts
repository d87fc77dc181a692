/** Errors of the token endpoint, and the JSON response that Entra ID sends for them. */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { createJsonResponse } from '../http/handler.ts'
import { findAadsts } from './error-table.ts'

/** A failed token request. The message is the text after `AADSTSn: `, by default the text of the error table. */
export class EntraError extends Error {
  readonly code: number
  readonly overrides: ErrorOverrides

  constructor(code: number, message = findAadsts(code).text, overrides: ErrorOverrides = {}) {
    super(message)
    this.name = 'EntraError'
    this.code = code
    this.overrides = overrides
  }
}

interface ErrorOverrides {
  readonly status?: number | undefined
  readonly error?: string | undefined
}

interface ErrorContext {
  readonly request: Request
  /** The form of the request, which may have the correlation id. */
  readonly form?: URLSearchParams
  /** Entra's clock, epoch milliseconds. */
  readonly now: number
}

/** Creates the JSON response for an error, with a new trace id. */
export function createErrorResponse(
  { code, message, overrides }: EntraError,
  { request, form, now }: ErrorContext,
): Response {
  const entry = findAadsts(code)
  const traceId = randomUUID()
  const correlationId = findCorrelationId(request, form) ?? randomUUID()
  // `2025-07-01 23:32:51Z`
  const timestamp = `${new Date(now).toISOString().slice(0, 19).replace('T', ' ')}Z`
  const description = [
    `AADSTS${code}: ${message}`,
    `Trace ID: ${traceId}`,
    `Correlation ID: ${correlationId}`,
    `Timestamp: ${timestamp}`,
  ].join(' ')
  const body = {
    error: overrides.error ?? entry.error,
    error_description: description,
    error_codes: [code],
    timestamp,
    trace_id: traceId,
    correlation_id: correlationId,
    error_uri: `${new URL(request.url).origin}/error?code=${code}`,
  }
  return createJsonResponse(
    overrides.status ?? entry.status,
    body,
    createTokenHeaders(traceId, now, code),
  )
}

/** Finds the `client-request-id` in form, query or headers. Undefined if it is not a GUID. */
export function findCorrelationId(request: Request, form?: URLSearchParams): string | undefined {
  const sent = [
    form?.get('client-request-id'),
    new URL(request.url).searchParams.get('client-request-id'),
    request.headers.get('client-request-id'),
  ]
  return sent.find((id) => z.guid().safeParse(id).success) ?? undefined
}

/** Returns the AADSTS code of an error response; undefined for any other response. */
export function readAadsts({ headers }: Response): number | undefined {
  return Number(headers.get(TELEMETRY)?.split(',')[1]) || undefined
}

/** Version, error, suberror, age of the refresh token and ring, for the telemetry of MSAL. */
const TELEMETRY = 'x-ms-clitelem'

/** Headers of every response of the token endpoint, on success and on failure. */
export const createTokenHeaders = (
  traceId: string,
  now: number,
  code = 0,
): [name: string, value: string][] => [
  ['cache-control', 'no-store, no-cache'],
  ['pragma', 'no-cache'],
  ['expires', '-1'],
  ['strict-transport-security', 'max-age=31536000; includeSubDomains'],
  ['x-content-type-options', 'nosniff'],
  ['p3p', 'CP="DSP CUR OTPi IND OTRi ONL FIN"'],
  ['x-ms-request-id', traceId],
  [TELEMETRY, `1,${code},0,,`],
  ['x-ms-ests-server', '2.1.0.0 - SIM ProdSlices'],
  ['set-cookie', 'x-ms-gateway-slice=estsfd; path=/; secure; samesite=none; httponly'],
  ['set-cookie', 'stsservicecookie=estsfd; path=/; secure; samesite=none; httponly'],
  ['date', new Date(now).toUTCString()],
]
