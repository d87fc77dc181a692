/** One attempt of an exchange: projected token → POST to the token endpoint → access token. */
import * as z from 'zod/mini'
import { resolveAuthority } from '../../lib/clouds.ts'
import { untilAborted } from '../../lib/deadline.ts'
import { BrokerError, type ErrorCode, toBrokerError } from '../../lib/errors.ts'
import { Secret } from '../../lib/secret.ts'
import { type Clock, createLifetime } from '../tokens/lifetime.ts'
import type { AccessToken, Attempt, TokenRequest } from '../tokens/token.ts'
import { type Assertion, type AssertionReader, decodeClaims } from './assertion.ts'
import { usesTokenProxy } from './choose-destination.ts'
import type { ExchangeDispatchers, Route } from './dispatcher.ts'
import { parseEntraError, parseTokenProxyError } from './entra-errors.ts'
import { postAssertion, type TokenEndpointResponse } from './token-endpoint.ts'
import { type Destination, ENTRA, withPeer } from './transport-errors.ts'

export interface ExchangeOptions extends ExchangeDispatchers {
  readonly readAssertion: AssertionReader
  readonly clock: Clock
  /** The Azure region whose token endpoint to use; undefined: the global endpoint. */
  readonly region?: string | undefined
  /** Receives the clock skew: milliseconds that the local clock is ahead of Entra's. */
  readonly onSkew?: (skewMs: number) => void
  /** Receives the outcome of each POST; an attempt makes one or more. */
  readonly onAttempt?: (code: ErrorCode | 'ok') => void
}

interface Parts extends ExchangeOptions {
  readonly signal: AbortSignal
  readonly onSent: Parameters<Attempt>[2]
  /** By token file: the last assertion that the server rejected as expired by its own clock. It is not sent again. */
  readonly expired: Map<string, { readonly secret: Secret; readonly error: BrokerError }>
}

/**
 * Creates the function that makes one attempt. It throws the `BrokerError` of the assertion, of the transport, or of Entra's
 * rejection. It posts a second time only if the assertion was rejected and the file has another one now. It does not post an
 * expired assertion again, since only the kubelet can replace it. `tokens/attempts.ts` retries failures that may pass within
 * seconds. It also sets the only time limit, from reading the assertion to the last response: the signal, by
 * WIMDS_EXCHANGE_TIMEOUT.
 */
export function createEntraExchange(options: ExchangeOptions): Attempt {
  const expired: Parts['expired'] = new Map()
  return async (request, signal, onSent) => {
    requireTime(signal)
    const { tokenFile } = request.identity
    const parts = { ...options, signal, onSent, expired }
    const assertion = await readWithin(tokenFile, parts)
    const known = expired.get(tokenFile)
    if (known?.secret.equals(assertion.secret) === true) throw known.error
    try {
      return await postAndReport(request, assertion, parts)
    } catch (error) {
      if (!(error instanceof BrokerError) || signal.aborted) throw error
      // With these codes the assertion may be outdated (it or its issuer's key was rotated), or was read while it was written.
      if (!error.code.startsWith('assertion_') && error.code !== 'issuer_unreachable') throw error
      const rotated = await readWithin(tokenFile, parts)
      if (rotated.secret.equals(assertion.secret)) throw error
      return postAndReport(request, rotated, parts)
    }
  }
}

function requireTime({ aborted, reason }: AbortSignal): void {
  if (!aborted) return
  throw new BrokerError(
    'entra_timeout',
    'the time limit of the exchange passed before Entra ID was asked',
    {
      fix: 'raise the CPU limit of the sidecar or the node agent, or WIMDS_EXCHANGE_TIMEOUT',
      cause: reason,
    },
  )
}

/** Reads the projected token within the time limit, even on a file system that hangs. */
async function readWithin(path: string, { readAssertion, signal }: Parts): Promise<Assertion> {
  return untilAborted(readAssertion(path), signal).catch((error: unknown) => {
    if (error instanceof BrokerError) throw error
    throw new BrokerError(
      'assertion_unreadable',
      `the projected token file ${path} could not be read in time`,
      { fix: 'check the file system of that file', cause: error },
    )
  })
}

async function postAndReport(
  request: TokenRequest,
  assertion: Assertion,
  parts: Parts,
): Promise<AccessToken> {
  const { signal, onSent, onAttempt } = parts
  onSent()
  try {
    const token = await post(request, assertion, parts)
    onAttempt?.('ok')
    return token
  } catch (error) {
    // Another attempt has got the token. A time limit would have another reason.
    const isAbandoned = signal.reason instanceof Error && signal.reason.name === 'AbortError'
    if (!isAbandoned) onAttempt?.(toBrokerError(error).code)
    throw error
  }
}

async function post(
  request: TokenRequest,
  assertion: Assertion,
  { clock, dispatcher, tokenProxy, region, expired, onSkew, signal }: Parts,
): Promise<AccessToken> {
  const { authorityHost, clientId, tenantId, tokenFile } = request.identity
  const authority = resolveAuthority(authorityHost, tenantId, region)
  const proxied = usesTokenProxy(request.identity, assertion) ? tokenProxy : undefined
  const destination = withPeer(ENTRA, `https://${authority.tokenHost}`)
  const route: Route = proxied ?? { dispatcher, destination }
  const startedAt = clock.monotonic()
  const sent = { route, assertion: assertion.secret, signal }
  const response = await postAssertion(request, authority, sent)
  const durationMs = clock.monotonic() - startedAt
  const now = clock.wall()
  // Only a response with JSON is Entra's. A Date header has whole seconds, so half a second is added.
  if (response.json !== undefined && response.date !== undefined) {
    onSkew?.(now - durationMs / 2 - (response.date + 500))
  }
  if (response.status === 200) {
    return parseToken(response, assertion, startedAt, clock, route.destination)
  }
  const isProxied = proxied !== undefined
  const error =
    (isProxied ? parseTokenProxyError(response, assertion, clientId, now) : undefined) ??
    parseEntraError(response, assertion, now, isProxied)
  if (error.code === 'assertion_expired' && response.date !== undefined) {
    expired.set(tokenFile, { secret: assertion.secret, error })
  }
  // Entra's text names the subject, but not the identity, which the application may have chosen.
  throw error.code.startsWith('federated_credential_')
    ? error.with({ problem: `${error.problem} (client id ${clientId})` })
    : error
}

/** A year: Entra's longest lifetime is 28 hours, and a JavaScript `Date` cannot hold every number. */
const MAX_LIFETIME_SECONDS = 31_536_000

/** A `refresh_in` that makes no sense counts as absent, since the token itself is good. */
const TokenBody = z.object({
  access_token: z.string().check(z.minLength(1)),
  expires_in: z.coerce.number().check(z.positive(), z.maximum(MAX_LIFETIME_SECONDS)),
  refresh_in: z.catch(z.optional(z.coerce.number().check(z.positive())), undefined),
})

/** The ids of a token in the sign-in logs. */
const TokenIds = z.object({
  uti: z.catch(z.optional(z.string().check(z.regex(/^[\w-]{1,64}$/))), undefined),
  oid: z.catch(z.optional(z.guid()), undefined),
})

/**
 * Returns the token of a response with status 200. Its lifetime counts from the start of the request on the monotonic clock.
 * Throws `entra_bad_response` if there is no token, which MSAL takes for success (E4).
 */
function parseToken(
  { json }: TokenEndpointResponse,
  { issuer, subject }: Assertion,
  startedAt: number,
  clock: Clock,
  { name, wrongServerFix }: Destination,
): AccessToken {
  const { data } = TokenBody.safeParse(json)
  if (data === undefined) {
    const problem = `the request to ${name} got 200 without a usable token`
    throw new BrokerError('entra_bad_response', problem, wrongServerFix)
  }
  const ids = decodeClaims(TokenIds, data.access_token)
  return {
    secret: new Secret(data.access_token),
    lifetime: createLifetime(startedAt, data.expires_in * 1000, clock),
    ...(data.refresh_in !== undefined && { refreshInMs: data.refresh_in * 1000 }),
    audit: { uti: ids?.uti, oid: ids?.oid, issuer, subject },
  }
}
