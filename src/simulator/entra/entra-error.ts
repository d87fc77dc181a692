/** What Entra says when it refuses: the shape of the answer around a code and its text. */
import { randomUUID } from 'node:crypto'
import { jsonResponse } from '../http/handler.ts'
import { kindOf } from './aadsts-table.ts'

/** A refused token request. The message is the text after `AADSTSn: `, without the trailer. */
export class Refusal extends Error {
  readonly code: number
  readonly overrides: RefusalOverrides

  constructor(code: number, message: string, overrides: RefusalOverrides = {}) {
    super(message)
    this.name = 'Refusal'
    this.code = code
    this.overrides = overrides
  }
}

interface RefusalOverrides {
  readonly status?: number | undefined
  readonly error?: string | undefined
  /** Members of the body beside the usual ones. */
  readonly extra?: Readonly<Record<string, unknown>>
}

/** A refusal that was asked for by its number. */
export function forcedRefusal(
  code: number,
  overrides: RefusalOverrides & { readonly text?: string | undefined } = {},
): Refusal {
  return new Refusal(code, overrides.text ?? kindOf(code).text, overrides)
}

interface RefusalContext {
  /** What the client sent; a new one otherwise. */
  readonly correlationId: string | undefined
  /** Entra's clock, epoch milliseconds. */
  readonly now: number
  /** Origin of the login host, for the link to the explanation. */
  readonly origin: string
  /** Between the three items of the trailer: spaces since 2024, CRLF before. */
  readonly trailerSeparator?: ' ' | '\r\n'
}

/** The JSON answer to a refused request, with a new trace id. */
export function refusalResponse(refusal: Refusal, context: RefusalContext): Response {
  const { correlationId = randomUUID(), now, origin, trailerSeparator = ' ' } = context
  const { code, message, overrides } = refusal
  const known = kindOf(code)
  const traceId = randomUUID()
  const timestamp = utcTimestamp(now)
  const description = [
    `AADSTS${code}: ${message}`,
    `Trace ID: ${traceId}`,
    `Correlation ID: ${correlationId}`,
    `Timestamp: ${timestamp}`,
  ].join(trailerSeparator)
  const body = {
    error: overrides.error ?? known.error,
    error_description: description,
    error_codes: [code],
    timestamp,
    trace_id: traceId,
    correlation_id: correlationId,
    ...(known.hasNoLink ? {} : { error_uri: `${origin}/error?code=${code}` }),
    ...overrides.extra,
  }
  return jsonResponse(overrides.status ?? known.status, body, responseHeaders(traceId, now))
}

/** Headers that every answer of the token endpoint carries, success or not. */
export const responseHeaders = (
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

/** `2025-07-01 23:32:51Z`. */
const utcTimestamp = (now: number): string =>
  `${new Date(now).toISOString().slice(0, 19).replace('T', ' ')}Z`
