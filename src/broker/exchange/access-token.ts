/** The access tokens that Entra ID issues. */
import * as z from 'zod/mini'
import { BrokerError } from '../../lib/errors.ts'
import { Secret } from '../../lib/secret.ts'
import { type Clock, createLifetime } from '../tokens/lifetime.ts'
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

const TokenIds = z.object({
  uti: z.catch(z.optional(z.string().check(z.regex(/^[\w-]{1,64}$/))), undefined),
  oid: z.catch(z.optional(z.guid()), undefined),
})

/** Reads the ids of a token in the sign-in logs; empty for a token that is not a JWT. */
function readIds(secret: Secret): Partial<z.infer<typeof TokenIds>> {
  return decodeClaims(TokenIds, secret.reveal()) ?? {}
}
