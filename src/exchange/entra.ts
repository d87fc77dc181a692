/** The exchange itself: projected token → client assertion → Entra ID → access token, by MSAL. */
import { ConfidentialClientApplication } from '@azure/msal-node'
import { randomUUID } from 'node:crypto'
import type { Dispatcher } from 'undici'
import { BrokerError } from '../errors.ts'
import type { Clock } from '../tokens/clock.ts'
import type { AccessToken, TokenRequest, TokenSource } from '../tokens/token.ts'
import { deadline, untilAborted } from '../tokens/deadline.ts'
import type { Assertion, AssertionReader } from './assertion.ts'
import { resolveAuthority } from './authority.ts'
import { isBrokenConnection } from './transport-errors.ts'
import { createMsalNetworkClient } from './http-client.ts'
import { expiredAssertion, isOutOfTime, refusalOf } from './entra-errors.ts'
import { skewMs, tokenOf } from './token-answer.ts'

interface ExchangeOptions {
  readonly readAssertion: AssertionReader
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  /** Limit of one exchange, reading the assertion and a repeated try included, in milliseconds. */
  readonly timeoutMs: number
  /** The Azure region whose token endpoint to use; undefined: the cloud's. */
  readonly region?: string
  /** Told how far the local clock is ahead of Entra ID's, in milliseconds. */
  readonly onSkew?: (skewMs: number) => void
}

/**
 * Exchanges for one token with one POST. Throws `BrokerError`s of the assertion, of the way to
 * Entra ID, and of what Entra ID said. A second POST is made at once in two cases: the connection
 * broke, as one does that was idle for too long, or the assertion was renewed while it was refused.
 *
 * Each try has an MSAL client of its own, which costs next to nothing: a client that lives on
 * keeps throttle records that answer in Entra's stead, and a second cache.
 */
export function createEntraExchange(options: ExchangeOptions): TokenSource {
  return async (request, outer) => {
    const { signal, clear } = deadline(options.timeoutMs, outer)
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
  const assertion = await readWithin(request.identity.tokenFile, options, signal)
  try {
    return await send(request, assertion, options, signal)
  } catch (error) {
    if (!(error instanceof BrokerError) || signal.aborted) throw error
    if (isBrokenConnection(error)) return send(request, assertion, options, signal)
    if (!isOutOfTime(error)) throw error
    const renewed = await readWithin(request.identity.tokenFile, options, signal)
    if (renewed.secret.reveal() === assertion.secret.reveal()) throw error
    return send(request, renewed, options, signal)
  }
}

/** A file system that hangs is no reason to let callers wait. */
async function readWithin(
  path: string,
  { readAssertion }: ExchangeOptions,
  signal: AbortSignal,
): Promise<Assertion> {
  return untilAborted(readAssertion(path), signal).catch((error: unknown) => {
    if (error instanceof BrokerError) throw error
    throw new BrokerError(
      'assertion_unreadable',
      `the projected token file ${path} could not be read in time: check its file system`,
      { cause: error },
    )
  })
}

async function send(
  { identity, scope, claims, correlationId = randomUUID() }: TokenRequest,
  assertion: Assertion,
  { dispatcher, clock, region, onSkew }: ExchangeOptions,
  signal: AbortSignal,
): Promise<AccessToken> {
  const authority = resolveAuthority(identity.authorityHost, identity.tenantId, region)
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
    system: { networkClient: network.module },
  })
  const start = { wall: clock.wall(), monotonic: clock.monotonic() }
  try {
    await msal.acquireTokenByClientCredential({
      scopes: [scope],
      skipCache: true,
      correlationId,
      // Else MSAL_FORCE_REGION in the environment would send the assertion to another host (E3).
      azureRegion: 'DisableMsalForceRegion',
      ...(claims !== undefined && { claims }),
    })
  } catch (error) {
    const failure = network.failure()
    if (failure !== undefined) throw failure
    // What MSAL makes of an answer is judged below by the answer itself; the rest is a fault.
    if (network.answer() === undefined) throw error
  }
  const answer = network.answer()
  if (answer === undefined) throw new BrokerError('internal', 'MSAL made no request')
  const tookMs = clock.monotonic() - start.monotonic
  const now = clock.wall()
  const skew = skewMs(answer, now - tookMs / 2)
  if (skew !== undefined) onSkew?.(skew)
  if (answer.status !== 200) {
    throw expiredAssertion(refusalOf(answer, now), assertion, answer, now)
  }
  return tokenOf(answer, start)
}
