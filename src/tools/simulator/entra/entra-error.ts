/** Errors of the token endpoint, and the JSON response that Entra ID sends for them. */
import { randomUUID } from 'node:crypto'
import { jsonResponse } from '../http/handler.ts'
import { findAadsts } from './error-table.ts'

/** A failed token request. The message is the text after `AADSTSn: `, without the trailer. */
export class EntraError extends Error {
  readonly code: number
  readonly overrides: ErrorOverrides

  constructor(code: number, message: string, overrides: ErrorOverrides = {}) {
    super(message)
    this.name = 'EntraError'
    this.code = code
    this.overrides = overrides
  }
}

interface ErrorOverrides {
  readonly status?: number | undefined
  readonly error?: string | undefined
  /** Additional members of the body. */
  readonly extra?: Readonly<Record<string, unknown>>
}

/** Creates the error of a code, with the text of the table unless `overrides` has one. */
export function createErrorOfCode(
  code: number,
  overrides: ErrorOverrides & { readonly text?: string | undefined } = {},
): EntraError {
  return new EntraError(code, overrides.text ?? findAadsts(code).text, overrides)
}

interface ErrorContext {
  /** As sent by the client. Default: a new one. */
  readonly correlationId: string | undefined
  /** Entra's clock, epoch milliseconds. */
  readonly now: number
  /** Origin of the login host, for `error_uri`. */
  readonly origin: string
  /** Separator of the trailer's items: spaces since 2024, CRLF before. */
  readonly trailerSeparator?: ' ' | '\r\n'
}

/** Creates the JSON response for an error, with a new trace id. */
export function createErrorResponse(error: EntraError, context: ErrorContext): Response {
  const { correlationId = randomUUID(), now, origin, trailerSeparator = ' ' } = context
  const { code, message, overrides } = error
  const entry = findAadsts(code)
  const traceId = randomUUID()
  // `2025-07-01 23:32:51Z`
  const timestamp = `${new Date(now).toISOString().slice(0, 19).replace('T', ' ')}Z`
  const description = [
    `AADSTS${code}: ${message}`,
    `Trace ID: ${traceId}`,
    `Correlation ID: ${correlationId}`,
    `Timestamp: ${timestamp}`,
  ].join(trailerSeparator)
  const body = {
    error: overrides.error ?? entry.error,
    error_description: description,
    error_codes: [code],
    timestamp,
    trace_id: traceId,
    correlation_id: correlationId,
    ...(entry.hasNoLink ? {} : { error_uri: `${origin}/error?code=${code}` }),
    ...overrides.extra,
  }
  return jsonResponse(overrides.status ?? entry.status, body, tokenResponseHeaders(traceId, now))
}

/** Headers of every response of the token endpoint, on success and on failure. */
export const tokenResponseHeaders = (
  traceId: string,
  now: number,
): Readonly<Record<string, string>> => ({
  'cache-control': 'no-store, no-cache',
  pragma: 'no-cache',
  expires: '-1',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  p3p: 'CP="DSP CUR OTPi IND OTRi ONL FIN"',
  'x-ms-request-id': traceId,
  'x-ms-ests-server': '2.1.0.0 - SIM ProdSlices',
  'set-cookie': 'x-ms-gateway-slice=estsfd; path=/; secure; samesite=none; httponly',
  date: new Date(now).toUTCString(),
})
