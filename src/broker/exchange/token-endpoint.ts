/**
 * The POST to the token endpoint: MSAL builds it, and undici sends it. It has one allowed host, a size cap and no redirects.
 * `tokens/attempts.ts` limits its time by WIMDS_EXCHANGE_TIMEOUT. MSAL's own client follows redirects with the assertion in the
 * body and has no time limit (E4).
 */
import {
  ConfidentialClientApplication,
  type INetworkModule,
  type NetworkRequestOptions,
} from '@azure/msal-node'
import type { Dispatcher } from 'undici'
import type { Authority } from '../../lib/clouds.ts'
import { BrokerError } from '../../lib/errors.ts'
import { parseJsonObject } from '../../lib/json.ts'
import { readBody } from '../../lib/read-body.ts'
import type { Secret } from '../../lib/secret.ts'
import type { TokenRequest } from '../tokens/token.ts'
import type { Route } from './dispatcher.ts'
import { type Destination, toTransportError } from './transport-errors.ts'

interface PostOptions {
  readonly route: Route
  /** Host and port that the assertion may be sent to. */
  readonly allowedHost: string
  /** The assertion that is sent. It is redacted from error responses. */
  readonly assertion: Secret
  /** Ends the request; its reason `TimeoutError` becomes `entra_timeout`. */
  readonly signal: AbortSignal
}

export interface TokenEndpointResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The parsed JSON object; undefined if the body is anything else. */
  readonly json: Readonly<Record<string, unknown>> | undefined
  /** The body of the response. In an error, the assertion is redacted before the body is parsed. */
  readonly text: string
  /** The server's clock in epoch milliseconds, by its Date header. */
  readonly date: number | undefined
}

/** A token response has about 2 kB; the page of an intercepting proxy may have much more. */
const MAX_BODY_BYTES = 262_144
/** Entra's longest errors have less than 10 kB. The rest is ignored, since redaction blocks the event loop. */
const MAX_ERROR_LENGTH = 16_384

/**
 * Posts the assertion. Returns the response, of a success or an error; throws a `BrokerError` if there is no response. Each
 * POST has its own client of MSAL, which costs next to nothing. A client that is kept would have a second cache, and throttling
 * records that answer instead of Entra ID (E4).
 */
export async function postAssertion(
  { identity, scope, correlationId }: TokenRequest,
  authority: Authority,
  sent: Pick<PostOptions, 'route' | 'assertion' | 'signal'>,
): Promise<TokenEndpointResponse> {
  let response: Promise<TokenEndpointResponse> | undefined
  const networkClient: INetworkModule = {
    sendGetRequestAsync: rejectGet,
    // oxlint-disable-next-line no-unnecessary-type-parameters -- MSAL's interface
    sendPostRequestAsync: async <T>(url: string, form: NetworkRequestOptions = {}) => {
      response = postForm(url, form, { ...sent, allowedHost: authority.tokenHost })
      const { status, json } = await response
      // oxlint-disable-next-line no-unsafe-type-assertion -- MSAL's interface; a copy, since MSAL writes into it
      return { status, headers: {}, body: { ...json } as T }
    },
  }
  const msal = new ConfidentialClientApplication({
    auth: {
      clientId: identity.clientId,
      authority: authority.url,
      knownAuthorities: [authority.host],
      authorityMetadata: authority.metadata,
      clientAssertion: sent.assertion.reveal(),
    },
    system: { networkClient },
  })
  const acquired = msal.acquireTokenByClientCredential({
    scopes: [scope],
    skipCache: true,
    ...(correlationId !== undefined && { correlationId }),
    // Otherwise MSAL_FORCE_REGION in the environment sends the assertion to another host (E3).
    azureRegion: 'DisableMsalForceRegion',
  })
  // Once the request is sent, the response says more than MSAL's error.
  await acquired.catch((error: unknown) => response ?? Promise.reject(error))
  if (response !== undefined) return response
  throw new BrokerError('internal', 'MSAL sent no request', 'report this as a bug of wimds')
}

/** Rejects a GET: MSAL has the metadata of its authority, so it has nothing to fetch (E3). */
function rejectGet(url: string): never {
  throw new BrokerError('internal', `MSAL sent an unexpected GET to ${new URL(url).pathname}`)
}

/** Sends a POST. Throws a `BrokerError`, also for a request without a response. */
export async function postForm(
  url: string,
  { headers = {}, body = '' }: NetworkRequestOptions,
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
  const sent = {
    origin,
    path: `${pathname}${search}`,
    method: 'POST',
    headers,
    body,
    signal,
  } as const
  try {
    const response = await dispatcher.request(sent)
    return await readResponse(response, assertion, destination)
  } catch (error) {
    throw error instanceof BrokerError ? error : toTransportError(error, destination)
  }
}

/** Reads the response. Throws a `BrokerError`, or the error of undici. */
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
 * Returns the epoch milliseconds of an HTTP date (RFC 9110, section 5.6.7); undefined for any other text. `Date.parse` would
 * accept `in 2100`, too, so the date must format to the same text again.
 */
export function parseHttpDate(text: string): number | undefined {
  const ms = Date.parse(text)
  return new Date(ms).toUTCString() === text && !Number.isNaN(ms) ? ms : undefined
}
