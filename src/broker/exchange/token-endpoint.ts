/**
 * The token endpoint: posts the assertion, and parses the token. It has one allowed host, a size cap, no redirects, and as
 * time limit the signal of `tokens/exchanges.ts`, which has WIMDS_EXCHANGE_TIMEOUT. MSAL's own client follows redirects with
 * the assertion in the body and has no time limit (E4).
 */
import type { Dispatcher } from 'undici'
import * as z from 'zod/mini'
import { BrokerError } from '../../lib/errors.ts'
import { parseJsonObject } from '../../lib/json.ts'
import { readBody } from '../../lib/read-body.ts'
import { Secret } from '../../lib/secret.ts'
import type { Clock } from '../tokens/clock.ts'
import { createLifetime } from '../tokens/lifetime.ts'
import type { AccessToken } from '../tokens/token.ts'
import { type Assertion, decodeClaims } from './assertion.ts'
import type { Route } from './dispatcher.ts'
import { type Destination, toTransportError } from './transport-errors.ts'

export interface PostedForm {
  readonly headers: Record<string, string>
  readonly body: string
}

interface PostOptions {
  readonly route: Route
  /** Host and port that the assertion may be sent to. */
  readonly allowedHost: string
  /** The sent assertion; redacted from error responses. */
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
  /** The body as it is parsed, without the assertion. */
  readonly text: string
  /** The server's clock in epoch milliseconds, by its Date header. */
  readonly date: number | undefined
}

/** A token response has about 2 kB; the page of an intercepting proxy may have much more. */
const MAX_BODY_BYTES = 262_144
/** Entra's longest errors have less than 10 kB. The rest is ignored, since redaction blocks the event loop. */
const MAX_ERROR_LENGTH = 16_384

/** Sends a POST. Throws a `BrokerError`, also for a request without a response. */
export async function postForm(
  url: string,
  { headers, body }: PostedForm,
  { route: { dispatcher, destination }, allowedHost, assertion, signal }: PostOptions,
): Promise<TokenEndpointResponse> {
  const { origin, host, protocol, pathname, search } = new URL(url)
  if (host !== allowedHost || protocol !== 'https:') {
    throw new BrokerError(
      'entra_host_not_allowed',
      `the assertion must not be sent to ${protocol}//${host}: the token endpoint is on https://${allowedHost}`,
      'report this as a bug of wimds',
    )
  }
  const path = `${pathname}${search}`
  try {
    const response = await dispatcher.request({
      origin,
      path,
      method: 'POST',
      headers,
      body,
      signal,
    })
    return await readResponse(response, assertion, destination)
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
  const createError = () =>
    new BrokerError(
      'entra_bad_response',
      `the request to ${name} got a response of more than ${MAX_BODY_BYTES} bytes`,
      wrongServerFix,
    )
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

/** A year: Entra's longest lifetime is 28 hours, and a JavaScript `Date` cannot hold every number. */
const MAX_LIFETIME_SECONDS = 31_536_000

/** Microsoft's issuers have less than 100 characters. */
const MAX_ISSUER = 300

/** A `refresh_in` that makes no sense counts as absent, since the token itself is good. */
const TokenBody = z.object({
  access_token: z.string().check(z.minLength(1)),
  expires_in: z.coerce.number().check(z.positive(), z.maximum(MAX_LIFETIME_SECONDS)),
  refresh_in: z.catch(z.optional(z.coerce.number().check(z.positive())), undefined),
})

/**
 * Returns the token of a 200, whose lifetime counts from the start of the request on the monotonic clock. Throws
 * `entra_bad_response` if there is none: MSAL takes that for success (E4).
 */
export function parseToken(
  { json }: TokenEndpointResponse,
  { issuer, subject }: Pick<Assertion, 'issuer' | 'subject'>,
  startedAt: number,
  clock: Clock,
  route: Route,
): AccessToken {
  const { data } = TokenBody.safeParse(json)
  if (data === undefined) {
    throw new BrokerError(
      'entra_bad_response',
      `the request to ${route.destination.name} got 200 without a usable token`,
      route.destination.wrongServerFix,
    )
  }
  const secret = new Secret(data.access_token)
  const { uti, oid } = readTokenIds(secret)
  return {
    secret,
    lifetime: createLifetime(startedAt, data.expires_in * 1000, clock),
    ...(data.refresh_in !== undefined && { refreshInMs: data.refresh_in * 1000 }),
    audit: { uti, oid, issuer, subject },
  }
}

const TokenIds = z.object({
  uti: z.catch(z.optional(z.string().check(z.regex(/^[\w-]{1,64}$/))), undefined),
  oid: z.catch(z.optional(z.guid()), undefined),
  iss: z.catch(z.optional(z.url().check(z.maxLength(MAX_ISSUER))), undefined),
})

/** Reads the claims that say who issued a token and for whom; empty for a token that is not a JWT. */
export function readTokenIds(secret: Secret): Partial<z.infer<typeof TokenIds>> {
  return decodeClaims(TokenIds, secret.reveal()) ?? {}
}
