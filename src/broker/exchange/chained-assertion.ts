/** The assertion of a chained identity: the token of a managed identity, which another exchange obtains (E10). */
import { findAudience, formatTokenIssuer } from '../../lib/clouds.ts'
import { BrokerError } from '../../lib/errors.ts'
import type { Identity } from '../identities.ts'
import { type Clock, toWallTimes } from '../tokens/clock.ts'
import type { AccessToken, TokenRequest, TokenSource } from '../tokens/token.ts'
import type { Assertion } from './assertion.ts'
import { readTokenIds } from './token-endpoint.ts'

interface ChainedOptions {
  /** Exchanges for the token of the managed identity. */
  readonly source: TokenSource
  readonly clock: Clock
}

/** Exchanges for the token of `managed` as the assertion of the identity that is requested. Throws a `BrokerError`. */
export async function exchangeForAssertion(
  managed: Identity,
  { identity, correlationId }: TokenRequest,
  { source, clock }: ChainedOptions,
  signal: AbortSignal,
): Promise<Assertion> {
  const audience = findAudience(managed.authorityHost)
  const request = { identity: managed, scope: `${audience}/.default`, correlationId }
  let token: AccessToken
  try {
    token = await source(request, signal)
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    throw error.with({
      problem: `the token of ${managed.name}, which is the assertion of ${identity.name}: ${error.problem}`,
      isOfAssertion: true,
    })
  }
  // The token has the tenant's GUID, also where the configuration has a domain.
  const { iss, oid } = readTokenIds(token.secret)
  return {
    secret: token.secret,
    issuer: iss ?? formatTokenIssuer(managed.authorityHost, managed.tenantId),
    subject: oid ?? managed.objectId ?? '',
    audience: [audience],
    expiresAt: toWallTimes(token.lifetime, clock).expiresAt,
    isOfEntra: true,
  }
}
