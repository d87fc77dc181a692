/**
 * The HTTP client for the token endpoint: one allowed host, a size cap, no redirects, and a time limit: 4 s to connect, and
 * for the whole exchange the signal of `tokens/token-sources.ts`, which has WIMDS_EXCHANGE_TIMEOUT. MSAL's own client follows
 * redirects with the assertion in the body and has no time limit (E4).
 */
import type { Dispatcher } from 'undici'
import { BrokerError } from '../../lib/errors.ts'
import { parseJsonObject } from '../../lib/json.ts'
import { readBody } from '../../lib/http.ts'
import { request } from '../../lib/undici.ts'
import { scrubAndTruncate, type Secret } from '../../lib/secret.ts'
import { type Destination, toTransportError } from './transport-errors.ts'

/**
 * Options of undici's dispatchers and connections. One request at a time, hours apart, has no use for HTTP/2, for which
 * Node loads more code; and while a server may choose it, a pool makes all requests wait for its first connection.
 */
export const HTTP1_ONLY = { allowH2: false } as const

/** How every exchange connects, to Entra ID or to a proxy. */
export const CONNECT_OPTIONS = {
  ...HTTP1_ONLY,
  /** Milliseconds, TLS handshake included: the attempt and its hedge fail before a caller has waited for 8 s. */
  timeout: 4000,
  // Otherwise NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment sends the assertion to any server.
  rejectUnauthorized: true,
} as const

interface PostedForm {
  readonly headers: Record<string, string>
  readonly body: string
}

interface PostOptions {
  readonly dispatcher: Dispatcher
  /** The server that the dispatcher connects to, for messages. */
  readonly destination: Destination
  /** Host and port that the assertion may be sent to. */
  readonly allowedHost: string
  /** The assertion that is sent, which is redacted in the response unless that is a token. */
  readonly assertion: Secret
  /** Ends the request; its reason `TimeoutError` becomes `entra_timeout`. */
  readonly signal: AbortSignal
}

/** A response of the token endpoint. */
export interface TokenEndpointResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The parsed JSON object; undefined if the body is anything else. */
  readonly json: Readonly<Record<string, unknown>> | undefined
  /** The beginning of the body, scrubbed of credentials. */
  readonly excerpt: string
}

/** A token response has about 2 kB; the page of an intercepting proxy may have much more. */
const MAX_BODY_BYTES = 262_144
/** Entra's longest errors have less than 10 kB. The rest is ignored, since redaction blocks the event loop. */
const MAX_ERROR_LENGTH = 16_384
const EXCERPT_LENGTH = 200

/** Sends a POST. Throws a `BrokerError`, also for a request without a response. */
export async function postForm(
  url: string,
  form: PostedForm,
  options: PostOptions,
): Promise<TokenEndpointResponse> {
  try {
    return await send(url, form, options)
  } catch (error) {
    throw error instanceof BrokerError ? error : toTransportError(error, options.destination)
  }
}

/** Throws a `BrokerError`, or what undici throws. */
async function send(
  url: string,
  { headers, body }: PostedForm,
  { dispatcher, destination, allowedHost, assertion, signal }: PostOptions,
): Promise<TokenEndpointResponse> {
  const { host, protocol } = new URL(url)
  if (host !== allowedHost || protocol !== 'https:') {
    throw new BrokerError(
      'entra_host_not_allowed',
      `the assertion must not be sent to ${protocol}//${host}: the token endpoint is on https://${allowedHost}`,
      'report this as a bug of wimds',
    )
  }
  const response = await request(url, { method: 'POST', headers, body, dispatcher, signal })
  const status = response.statusCode
  if (status >= 300 && status < 400) {
    // Destroying a body emits an error, which ends the process if nothing listens.
    response.body.on('error', () => {}).destroy()
    throw new BrokerError(
      'entra_redirected',
      `the request to ${destination.name} got a redirect (${status}), which would send the assertion to another host and is not followed`,
      destination.wrongServerFix,
    )
  }
  const createError = () =>
    new BrokerError(
      'entra_bad_response',
      `the request to ${destination.name} got a response of more than ${MAX_BODY_BYTES} bytes`,
      destination.wrongServerFix,
    )
  const received = await readBody(response.body, MAX_BODY_BYTES, createError)
  const text = status === 200 ? received : assertion.redactIn(received.slice(0, MAX_ERROR_LENGTH))
  return {
    status,
    headers: response.headers,
    json: parseJsonObject(text),
    excerpt: scrubAndTruncate(text, EXCERPT_LENGTH),
  }
}

/**
 * Returns the epoch milliseconds of an HTTP date (RFC 9110, section 5.6.7); undefined for any other
 * text. `Date.parse` alone would accept `in 2100`, so the date must format to the same text again.
 */
export function parseHttpDate(text: string): number | undefined {
  const ms = Date.parse(text)
  return new Date(ms).toUTCString() === text && !Number.isNaN(ms) ? ms : undefined
}
