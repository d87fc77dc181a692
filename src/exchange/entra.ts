/** The exchange itself: projected token → client assertion → Entra ID → access token, by MSAL. */
import { ConfidentialClientApplication } from '@azure/msal-node'
import { randomUUID } from 'node:crypto'
import type { Dispatcher } from 'undici'
import * as z from 'zod/mini'
import { BrokerError } from '../errors.ts'
import { Secret } from '../secret.ts'
import type { Clock } from '../tokens/clock.ts'
import type { AccessToken, TokenRequest, TokenSource } from '../tokens/token.ts'
import type { AssertionReader } from './assertion.ts'
import { authorityOf } from './authority.ts'
import { isBrokenConnection, refusalOf } from './failures.ts'
import { type EntraAnswer, recordingNetwork } from './network.ts'

interface ExchangeOptions {
  readonly readAssertion: AssertionReader
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  /** Limit of one exchange, a repeated try included, in milliseconds. */
  readonly timeoutMs: number
  /** Told how far the local clock is ahead of Entra ID's, in milliseconds. */
  readonly onSkew?: (skewMs: number) => void
}

const TokenBody = z.object({
  access_token: z.string().check(z.minLength(1)),
  expires_in: z.coerce.number().check(z.positive()),
  refresh_in: z.optional(z.coerce.number().check(z.positive())),
})

/** AADSTS700024: the file may just have been renewed, so one fresh read is worth a second try. */
const STALE_ASSERTION = 700024

/**
 * Exchanges for one token with one POST. Throws `BrokerError`s of the assertion, of the way to
 * Entra ID, and of what Entra ID said.
 *
 * Each try has an MSAL client of its own, which costs next to nothing: a client that lives on
 * keeps throttle records that answer in Entra's stead, and a second cache.
 */
export function entraExchange(options: ExchangeOptions): TokenSource {
  return async (request) => {
    const signal = AbortSignal.timeout(options.timeoutMs)
    try {
      return await exchange(request, options, signal)
    } catch (error) {
      if (!isWorthRepeating(error) || signal.aborted) throw error
      return exchange(request, options, signal)
    }
  }
}

function isWorthRepeating(error: unknown): boolean {
  if (!(error instanceof BrokerError)) return false
  return isBrokenConnection(error) || error.entra?.aadsts === STALE_ASSERTION
}

async function exchange(
  { identity, scope, claims }: TokenRequest,
  { readAssertion, dispatcher, clock, onSkew }: ExchangeOptions,
  signal: AbortSignal,
): Promise<AccessToken> {
  const assertion = await readAssertion(identity.tokenFile)
  const authority = authorityOf(identity.authorityHost, identity.tenantId)
  const network = recordingNetwork({ dispatcher, allowedHost: authority.host, signal })
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
  const wall = clock.wall()
  const monotonic = clock.monotonic()
  try {
    await msal.acquireTokenByClientCredential({
      scopes: [scope],
      skipCache: true,
      correlationId: randomUUID(),
      // Else MSAL_FORCE_REGION in the environment would send the assertion to another host.
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
  onSkew?.(skewMs(answer, (wall + clock.wall()) / 2))
  return tokenOf(answer, { wall, monotonic })
}

/** The token of an answer, with its life counted from when it was asked for. */
function tokenOf(answer: EntraAnswer, start: { wall: number; monotonic: number }): AccessToken {
  if (answer.status !== 200) throw refusalOf(answer, start.wall)
  const { data } = TokenBody.safeParse(answer.json)
  if (data === undefined) {
    throw new BrokerError(
      'entra_bad_response',
      'the token endpoint answered 200 without a usable token: check for a proxy in between',
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

/** The Date header has whole seconds: half a second is added to hit the middle of its second. */
function skewMs({ headers }: EntraAnswer, now: number): number {
  const date = Date.parse(headers['date'] ?? '')
  return Number.isNaN(date) ? 0 : now - (date + 500)
}
