/** The exchange: projected token → client assertion → POST to the token endpoint → access token. */
import { ConfidentialClientApplication } from '@azure/msal-node'
import { decodeJwt } from 'jose/jwt/decode'
import { randomUUID } from 'node:crypto'
import type { Dispatcher } from 'undici'
import * as z from 'zod/mini'
import { BrokerError, type ErrorCode, toBrokerError } from '../errors.ts'
import type { Identity } from '../identities.ts'
import { startDeadline, untilAborted } from '../lib/deadline.ts'
import { Secret } from '../secret.ts'
import type { Clock } from '../tokens/clock.ts'
import type { AccessToken, TokenAudit, TokenRequest, TokenSource } from '../tokens/token.ts'
import type { Assertion, AssertionReader } from './assertion.ts'
import { type Authority, findAudience, resolveAuthority } from './clouds.ts'
import type { ExchangeDispatchers } from './dispatcher.ts'
import {
  mayRecoverWithNewAssertion,
  parseDateHeader,
  parseEntraError,
  parseTokenProxyError,
} from './entra-errors.ts'
import { createMsalNetworkClient, type TokenEndpointResponse } from './http-client.ts'
import { usesTokenProxy } from './token-proxy.ts'
import { isBrokenConnection } from './transport-errors.ts'

interface ExchangeOptions extends ExchangeDispatchers {
  readonly readAssertion: AssertionReader
  readonly clock: Clock
  /** Time limit of one exchange in milliseconds, from reading the assertion to the last response. */
  readonly timeoutMs: number
  /** The Azure region whose token endpoint to use; undefined: the global endpoint. */
  readonly region?: string
  /** Receives the clock skew: milliseconds that the local clock is ahead of Entra's. */
  readonly onSkew?: (skewMs: number) => void
  /** Receives the outcome of each request to Entra ID; an exchange makes one or more. */
  readonly onAttempt?: (code: ErrorCode | 'ok') => void
}

/**
 * Creates the token source that asks Entra ID, with one POST for each token. Throws the `BrokerError` of
 * the assertion, of the transport, or of Entra's rejection. It posts a second time, at once, in two
 * cases only: the connection broke, or the assertion was rejected as expired and has been rotated.
 */
export function createEntraExchange(options: ExchangeOptions): TokenSource {
  return async (request, outer) => {
    const { signal, clear } = startDeadline(options.timeoutMs, outer)
    try {
      return await exchange(request, options, signal)
    } finally {
      clear()
    }
  }
}

async function exchange(
  request: TokenRequest,
  options: ExchangeOptions,
  signal: AbortSignal,
): Promise<AccessToken> {
  const { identity } = request
  const assertion = await findAssertion(identity, options, signal)
  try {
    return await requestToken(request, assertion, options, signal)
  } catch (error) {
    if (!(error instanceof BrokerError) || signal.aborted) throw error
    if (isBrokenConnection(error)) return requestToken(request, assertion, options, signal)
    if (!mayRecoverWithNewAssertion(error)) throw error
    const rotated = await findAssertion(identity, options, signal)
    if (rotated.secret.reveal() === assertion.secret.reveal()) throw error
    return requestToken(request, rotated, options, signal)
  }
}

async function findAssertion(
  { name, tokenFile, assertionFrom }: Identity,
  options: ExchangeOptions,
  signal: AbortSignal,
): Promise<Assertion> {
  if (assertionFrom === undefined) return readWithin(tokenFile, options, signal)
  try {
    return await exchangeForAssertion(assertionFrom, options, signal)
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    const { code, message, entra, retryAfterMs } = error
    throw new BrokerError(
      code,
      `the token of ${assertionFrom.name}, which is the assertion of ${name}: ${message}`,
      {
        cause: error.cause,
        ...(entra !== undefined && { entra }),
        ...(retryAfterMs !== undefined && { retryAfterMs }),
      },
    )
  }
}

/** Exchanges for a managed identity's token as the assertion of a chained identity (E10). */
async function exchangeForAssertion(
  identity: Identity,
  options: ExchangeOptions,
  signal: AbortSignal,
): Promise<Assertion> {
  const { authorityHost, tenantId } = identity
  const audience = findAudience(authorityHost)
  const token = await exchange({ identity, scope: `${audience}/.default` }, options, signal)
  return {
    secret: token.secret,
    issuer: `${resolveAuthority(authorityHost, tenantId).url}/v2.0`,
    subject: token.audit?.oid ?? '',
    audience: [audience],
    expiresAt: token.expiresAt,
  }
}

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
      `the projected token file ${path} could not be read in time. Fix: check its file system`,
      { cause: error },
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
    onAttempt?.(toBrokerError(error).code)
    throw error
  }
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
  const viaTokenProxy = tokenProxy !== undefined && usesTokenProxy(request.identity, assertion)
  const start = { wall: clock.wall(), monotonic: clock.monotonic() }
  const route = viaTokenProxy ? tokenProxy : dispatcher
  const response = await post(request, authority, assertion, route, signal)
  const durationMs = clock.monotonic() - start.monotonic
  const now = clock.wall()
  const skewMs = measureSkew(response, now - durationMs / 2)
  if (skewMs !== undefined) onSkew?.(skewMs)
  if (response.status !== 200) {
    const rejection = viaTokenProxy
      ? parseTokenProxyError(response, assertion, clientId)
      : undefined
    throw rejection ?? parseEntraError(response, assertion, now)
  }
  const token = parseToken(response, start)
  const { issuer, subject } = assertion
  return { ...token, audit: { ...readTokenIds(token.secret), issuer, subject } }
}

/**
 * Posts the assertion with MSAL and returns the response. MSAL builds the request only: success and
 * failure are read from the response. Each attempt has a client of its own, which costs next to nothing:
 * a client that is kept has throttle records that answer instead of Entra ID, and a second cache (E4).
 */
async function post(
  { identity, scope, correlationId = randomUUID() }: TokenRequest,
  authority: Authority,
  assertion: Assertion,
  dispatcher: Dispatcher,
  signal: AbortSignal,
): Promise<TokenEndpointResponse> {
  const network = createMsalNetworkClient({
    dispatcher,
    allowedHost: authority.tokenHost,
    assertion: assertion.secret,
    signal,
  })
  const msal = new ConfidentialClientApplication({
    auth: {
      clientId: identity.clientId,
      authority: authority.url,
      knownAuthorities: [authority.host],
      authorityMetadata: authority.metadata,
      clientAssertion: assertion.secret.reveal(),
    },
    system: { networkClient: network.networkModule },
  })
  try {
    await msal.acquireTokenByClientCredential({
      scopes: [scope],
      skipCache: true,
      correlationId,
      // Otherwise MSAL_FORCE_REGION in the environment sends the assertion to another host (E3).
      azureRegion: 'DisableMsalForceRegion',
    })
  } catch (error) {
    const failure = network.error()
    if (failure !== undefined) throw failure
    if (network.response() === undefined) throw error
  }
  const response = network.response()
  if (response === undefined) throw new BrokerError('internal', 'MSAL sent no request')
  return response
}

/** A year: Entra's longest lifetime is 28 hours, and a JavaScript `Date` cannot hold every number. */
const MAX_LIFETIME_SECONDS = 31_536_000

const withDefault = z.catch

/** A `refresh_in` that makes no sense counts as absent, since the token itself is good. */
const TokenBody = z.object({
  access_token: z.string().check(z.minLength(1)),
  expires_in: z.coerce.number().check(z.positive(), z.maximum(MAX_LIFETIME_SECONDS)),
  refresh_in: withDefault(z.optional(z.coerce.number().check(z.positive())), undefined),
})

/**
 * Returns the token of a 200, whose lifetime counts from the start of the request. Throws
 * `entra_bad_response` if there is none: MSAL takes that for success (E4).
 */
function parseToken(
  { json }: TokenEndpointResponse,
  start: { readonly wall: number; readonly monotonic: number },
): AccessToken {
  const { data } = TokenBody.safeParse(json)
  if (data === undefined) {
    throw new BrokerError(
      'entra_bad_response',
      'the token endpoint answered 200 without a usable token. Fix: check for a proxy between the pod and the login host',
    )
  }
  const lifetimeMs = data.expires_in * 1000
  return {
    secret: new Secret(data.access_token),
    obtainedAt: start.wall,
    expiresAt: start.wall + lifetimeMs,
    expiresAtMonotonic: start.monotonic + lifetimeMs,
    lifetimeMs,
    ...(data.refresh_in !== undefined && { refreshInMs: data.refresh_in * 1000 }),
  }
}

const TokenIds = z.object({
  uti: withDefault(z.optional(z.string().check(z.regex(/^[\w-]{1,64}$/))), undefined),
  oid: withDefault(z.optional(z.guid()), undefined),
})

/** Reads the claims that identify a token in the sign-in logs; empty for a token that is not a JWT. */
function readTokenIds(secret: Secret): Pick<TokenAudit, 'uti' | 'oid'> {
  try {
    const { uti, oid } = TokenIds.parse(decodeJwt(secret.reveal()))
    return { ...(uti !== undefined && { uti }), ...(oid !== undefined && { oid }) }
  } catch {
    return {}
  }
}

/**
 * Returns how many milliseconds `now` is ahead of Entra's clock; undefined if the response is not JSON,
 * and so not Entra's, or has no Date. That header has whole seconds, so half a second is added.
 */
function measureSkew(response: TokenEndpointResponse, now: number): number | undefined {
  const date = parseDateHeader(response)
  return response.json === undefined || date === undefined ? undefined : now - (date + 500)
}
