/** The access tokens that Entra ID issues, and such a token as the assertion of another identity. */
import * as z from 'zod/mini'
import { formatTokenIssuer } from '../../lib/clouds.ts'
import { BrokerError } from '../../lib/errors.ts'
import { Secret } from '../../lib/secret.ts'
import type { Identity } from '../identities.ts'
import { type Clock, createLifetime, toWallTimes } from '../tokens/lifetime.ts'
import type { AccessToken } from '../tokens/token.ts'
import { type Assertion, decodeClaims } from './assertion.ts'
import type { Route } from './dispatcher.ts'
import type { TokenEndpointResponse } from './token-endpoint.ts'

/** A year: Entra's longest lifetime is 28 hours, and a JavaScript `Date` cannot hold every number. */
const MAX_LIFETIME_SECONDS = 31_536_000

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
  { startedAt, clock }: { readonly startedAt: number; readonly clock: Clock },
  { findDestination }: Route,
): AccessToken {
  const { data } = TokenBody.safeParse(json)
  if (data === undefined) {
    const { name, wrongServerFix } = findDestination()
    const problem = `the request to ${name} got 200 without a usable token`
    throw new BrokerError('entra_bad_response', problem, wrongServerFix)
  }
  const secret = new Secret(data.access_token)
  const { uti, oid } = readIds(secret)
  return {
    secret,
    lifetime: createLifetime(startedAt, data.expires_in * 1000, clock),
    ...(data.refresh_in !== undefined && { refreshInMs: data.refresh_in * 1000 }),
    audit: { uti, oid, issuer, subject },
  }
}

/** Returns the token of a managed identity as assertion. It has the tenant's GUID, also where the configuration has a domain. */
export function toAssertion(
  { secret, lifetime }: AccessToken,
  { authorityHost, tenantId, objectId = '' }: Identity,
  audience: string,
  clock: Clock,
): Assertion {
  const { iss, oid } = readIds(secret)
  return {
    secret,
    issuer: iss ?? formatTokenIssuer(authorityHost, tenantId),
    subject: oid ?? objectId,
    audience: [audience],
    expiresAt: toWallTimes(lifetime, clock).expiresAt,
    isOfEntra: true,
  }
}

/** Microsoft's issuers have less than 100 characters. */
const MAX_ISSUER = 300

const TokenIds = z.object({
  uti: z.catch(z.optional(z.string().check(z.regex(/^[\w-]{1,64}$/))), undefined),
  oid: z.catch(z.optional(z.guid()), undefined),
  iss: z.catch(z.optional(z.url().check(z.maxLength(MAX_ISSUER))), undefined),
})

/** Reads the claims that say who issued a token and for whom; empty for a token that is not a JWT. */
function readIds(secret: Secret): Partial<z.infer<typeof TokenIds>> {
  return decodeClaims(TokenIds, secret.reveal()) ?? {}
}
