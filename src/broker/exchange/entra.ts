/** The exchange: projected token → client assertion → POST to the token endpoint → access token. */
import {
  ConfidentialClientApplication,
  type INetworkModule,
  type NetworkRequestOptions,
} from '@azure/msal-node'
import { BrokerError, type ErrorCode, toBrokerError } from '../../lib/errors.ts'
import { untilAborted } from '../../lib/deadline.ts'
import type { Clock } from '../tokens/clock.ts'
import type { AccessToken, TokenRequest, TokenSource } from '../tokens/token.ts'
import { type Assertion, type AssertionReader, usesTokenProxy } from './assertion.ts'
import { type Authority, resolveAuthority } from '../../lib/clouds.ts'
import { exchangeForAssertion } from './chained-assertion.ts'
import type { ExchangeDispatchers, Route } from './dispatcher.ts'
import { parseEntraError, parseTokenProxyError } from './entra-errors.ts'
import { parseToken, postForm, type TokenEndpointResponse } from './token-endpoint.ts'
import { ENTRA, withPeer } from './transport-errors.ts'

export interface ExchangeOptions extends ExchangeDispatchers {
  /** Wraps the exchanges of each identity, also of one whose token is the assertion of another one. */
  readonly around?: (source: TokenSource) => TokenSource
  readonly readAssertion: AssertionReader
  readonly clock: Clock
  /** The Azure region whose token endpoint to use; undefined: the global endpoint. */
  readonly region?: string | undefined
  /** Receives the clock skew: milliseconds that the local clock is ahead of Entra's. */
  readonly onSkew?: (skewMs: number) => void
  /** Receives the outcome of each request to Entra ID; an exchange makes one or more. */
  readonly onAttempt?: (code: ErrorCode | 'ok') => void
}

interface Parts extends ExchangeOptions {
  /** The source of the assertions of chained identities. */
  readonly source: TokenSource
}

/**
 * Creates the token source that exchanges with Entra ID, with one POST for each token. Throws the `BrokerError` of
 * the assertion, of the transport, or of Entra's rejection. It posts a second time only if the assertion was rejected
 * and the file has another one now; `tokens/attempts.ts` repeats what may pass within seconds. The signal is the only time
 * limit, from reading the assertion to the last response: `tokens/exchanges.ts` sets it, by WIMDS_EXCHANGE_TIMEOUT.
 */
export function createEntraExchange(options: ExchangeOptions): TokenSource {
  const { around = (each) => each } = options
  const source: TokenSource = around((request, signal) =>
    exchange(request, { ...options, source }, signal),
  )
  return source
}

async function exchange(
  request: TokenRequest,
  options: Parts,
  signal: AbortSignal,
): Promise<AccessToken> {
  if (signal.aborted) {
    throw new BrokerError(
      'entra_timeout',
      'the time limit of the exchange passed before Entra ID was asked',
      {
        fix: 'raise the CPU limit of the sidecar, or WIMDS_EXCHANGE_TIMEOUT',
        cause: signal.reason,
      },
    )
  }
  const { tokenFile, assertionFrom } = request.identity
  const assertion =
    assertionFrom === undefined
      ? await readWithin(tokenFile, options, signal)
      : await exchangeForAssertion(assertionFrom, request, options, signal)
  try {
    return await requestToken(request, assertion, options, signal)
  } catch (error) {
    if (!(error instanceof BrokerError) || signal.aborted) throw error
    if (!REJECTED_ASSERTIONS.has(error.code) || assertionFrom !== undefined) throw error
    const rotated = await readWithin(tokenFile, options, signal)
    if (rotated.secret.equals(assertion.secret)) throw error
    return requestToken(request, rotated, options, signal)
  }
}

/** The assertion is at fault: it may have been rotated, or read while it was written. */
const REJECTED_ASSERTIONS: ReadonlySet<ErrorCode> = new Set([
  'assertion_refused',
  'assertion_expired',
  'assertion_not_yet_valid',
])

/** Reads the assertion within the time limit, even on a file system that hangs. */
async function readWithin(
  path: string,
  { readAssertion }: ExchangeOptions,
  signal: AbortSignal,
): Promise<Assertion> {
  return untilAborted(readAssertion(path), signal).catch((error: unknown) => {
    if (error instanceof BrokerError) throw error
    throw new BrokerError(
      'assertion_unreadable',
      `the projected token file ${path} could not be read in time`,
      { fix: 'check its file system', cause: error },
    )
  })
}

async function requestToken(
  request: TokenRequest,
  assertion: Assertion,
  options: ExchangeOptions,
  signal: AbortSignal,
): Promise<AccessToken> {
  const { onAttempt } = options
  try {
    const token = await sendRequest(request, assertion, options, signal)
    onAttempt?.('ok')
    return token
  } catch (error) {
    if (!isAbandoned(signal)) onAttempt?.(toBrokerError(error).code)
    throw error
  }
}

/** Returns true for an attempt that another one has made superfluous, and that no time limit has ended. */
function isAbandoned({ aborted, reason }: AbortSignal): boolean {
  return aborted && reason instanceof Error && reason.name === 'AbortError'
}

async function sendRequest(
  request: TokenRequest,
  assertion: Assertion,
  options: ExchangeOptions,
  signal: AbortSignal,
): Promise<AccessToken> {
  const { clock, dispatcher, tokenProxy, region, onSkew } = options
  const { authorityHost, clientId, tenantId } = request.identity
  const authority = resolveAuthority(authorityHost, tenantId, region)
  const proxied = usesTokenProxy(request.identity, assertion) ? tokenProxy : undefined
  const destination = withPeer(ENTRA, `https://${authority.tokenHost}`)
  const route: Route = proxied ?? { dispatcher, destination }
  const startedAt = clock.monotonic()
  const response = await post(request, authority, assertion, route, signal)
  const durationMs = clock.monotonic() - startedAt
  const now = clock.wall()
  // Only a response with JSON is Entra's. A Date header has whole seconds, so half a second is added.
  if (response.json !== undefined && response.date !== undefined) {
    onSkew?.(now - durationMs / 2 - (response.date + 500))
  }
  if (response.status !== 200) {
    const isProxied = proxied !== undefined
    throw (
      (isProxied ? parseTokenProxyError(response, assertion, clientId, now) : undefined) ??
      parseEntraError(response, assertion, now, isProxied)
    )
  }
  return parseToken(response, assertion, startedAt, clock, route)
}

/**
 * Posts the assertion with MSAL and returns the response. MSAL builds the request only: success and
 * failure are read from the response. Each attempt creates a client, which costs next to nothing: a client
 * that is kept has throttle records that answer instead of Entra ID, and a second cache (E4).
 */
async function post(
  { identity, scope, correlationId }: TokenRequest,
  authority: Authority,
  assertion: Assertion,
  route: Route,
  signal: AbortSignal,
): Promise<TokenEndpointResponse> {
  const sent: { response?: Promise<TokenEndpointResponse> } = {}
  const options = { route, allowedHost: authority.tokenHost, assertion: assertion.secret, signal }
  const networkClient: INetworkModule = {
    sendGetRequestAsync: rejectGet,
    // oxlint-disable-next-line no-unnecessary-type-parameters -- MSAL's interface
    sendPostRequestAsync: async <T>(
      url: string,
      { headers = {}, body = '' }: NetworkRequestOptions = {},
    ) => {
      sent.response = postForm(url, { headers, body }, options)
      const { status, json } = await sent.response
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
      clientAssertion: assertion.secret.reveal(),
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
  await acquired.catch((error: unknown) => sent.response ?? Promise.reject(error))
  return sent.response ?? rejectUnsent()
}

function rejectUnsent(): never {
  throw new BrokerError('internal', 'MSAL sent no request', 'report this as a bug of wimds')
}

/** Throws: MSAL has the metadata of its authority, so it has nothing to fetch (E3). */
function rejectGet(url: string): never {
  throw new BrokerError('internal', `MSAL sent an unexpected GET to ${new URL(url).pathname}`)
}
