/**
 * The POST to the token endpoint: form, size cap, no redirects. Its time limit is the signal of
 * `tokens/attempts.ts`, by WIMDS_EXCHANGE_TIMEOUT.
 */
import type { Dispatcher } from 'undici'
import { parseJsonObject, readBody } from '../../lib/json.ts'
import { BrokerError } from '../../lib/errors.ts'
import type { Secret } from '../../lib/secret.ts'
import type { TokenRequest } from '../tokens/token.ts'
import type { Route } from './dispatcher.ts'
import { type Destination, toTransportError } from './transport-errors.ts'

interface PostOptions {
  readonly route: Route
  /** Host and port of the token endpoint. */
  readonly tokenHost: string
  /** Sent, and redacted from error responses. */
  readonly assertion: Secret
  /** Ends the request; its reason `TimeoutError` becomes `entra_timeout`. */
  readonly signal: AbortSignal
}

export interface TokenEndpointResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The parsed JSON object; undefined if the body is anything else. */
  readonly json: Readonly<Record<string, unknown>> | undefined
  /** The body of the response. The assertion in it is redacted before it is parsed. */
  readonly text: string
  /** The server's clock in epoch milliseconds, by its Date header. */
  readonly date: number | undefined
}

/** A token response has about 2 kB; the page of an intercepting proxy may have much more. */
const MAX_BODY_BYTES = 262_144
/** Entra's longest errors have less than 10 kB. The rest is ignored, since redaction blocks the event loop. */
const MAX_ERROR_LENGTH = 16_384

/** The parameters of each request: client credentials (RFC 6749, section 4.4) by a client assertion (RFC 7523, section 2.2). */
const PARAMETERS = {
  grant_type: 'client_credentials',
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  // That a 429 and its Retry-After are understood (E3).
  'x-ms-lib-capability': 'retry-after, h429',
}

/**
 * Posts the assertion (E3). Returns the response, from which the caller reads success and failure; throws a `BrokerError` for a
 * request without one.
 */
export async function postAssertion(
  { identity: { clientId, tenantId }, scope, correlationId }: TokenRequest,
  { route: { dispatcher, destination }, tokenHost, assertion, signal }: PostOptions,
): Promise<TokenEndpointResponse> {
  const ids = correlationId === undefined ? {} : { 'client-request-id': correlationId }
  const form = new URLSearchParams({
    ...PARAMETERS,
    client_id: clientId,
    scope,
    client_assertion: assertion.reveal(),
    ...ids,
  })
  const sent = {
    origin: `https://${tokenHost}`,
    path: `/${tenantId}/oauth2/v2.0/token?${new URLSearchParams(ids).toString()}`,
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded;charset=utf-8' },
    body: form.toString(),
    signal,
  } as const
  try {
    return await readResponse(await dispatcher.request(sent), assertion, destination)
  } catch (error) {
    throw error instanceof BrokerError ? error : toTransportError(error, destination)
  }
}

/** Throws a `BrokerError`, or what undici throws. */
async function readResponse(
  { statusCode: status, headers, body }: Dispatcher.ResponseData,
  assertion: Secret,
  { name, wrongServerFix }: Destination,
): Promise<TokenEndpointResponse> {
  if (status >= 300 && status < 400) {
    // Destroying a body emits an error, which ends the process if nothing listens.
    body.on('error', () => {}).destroy()
    throw new BrokerError(
      'entra_redirected',
      `the request to ${name} got a redirect (${status}), which would send the assertion to another host and is not followed`,
      wrongServerFix,
    )
  }
  const tooLong = `the request to ${name} got a response of more than ${MAX_BODY_BYTES} bytes`
  const createError = () => new BrokerError('entra_bad_response', tooLong, wrongServerFix)
  const received = await readBody(body, MAX_BODY_BYTES, createError)
  const text = status === 200 ? received : assertion.redactIn(received.slice(0, MAX_ERROR_LENGTH))
  const date = parseHttpDate(String(headers['date'] ?? ''))
  return { status, headers, json: parseJsonObject(text), text, date }
}

/**
 * Returns the epoch milliseconds of an HTTP date (RFC 9110, section 5.6.7); undefined for any other
 * text. `Date.parse` alone would accept `in 2100`, so the date must format to the same text again.
 */
export function parseHttpDate(text: string): number | undefined {
  const ms = Date.parse(text)
  return new Date(ms).toUTCString() === text && !Number.isNaN(ms) ? ms : undefined
}
