/** What a 200 of the token endpoint gives: an access token with its life, and Entra ID's time. */
import * as z from 'zod/mini'
import { BrokerError } from '../errors.ts'
import { Secret } from '../secret.ts'
import type { AccessToken } from '../tokens/token.ts'
import { httpDate } from './http-date.ts'
import type { EntraAnswer } from './http-client.ts'

const orElse = z.catch

/** A year: Entra ID's longest lives are 28 hours, and no date can be told of the end of some numbers. */
const MAX_LIFE_SECONDS = 31_536_000

/** An answer counts by what it needs; a `refresh_in` that makes no sense must not lose a token. */
const TokenBody = z.object({
  access_token: z.string().check(z.minLength(1)),
  expires_in: z.coerce.number().check(z.positive(), z.maximum(MAX_LIFE_SECONDS)),
  refresh_in: orElse(z.optional(z.coerce.number().check(z.positive())), undefined),
})

/**
 * The token of a 200, with its life counted from when it was asked for. Throws `entra_bad_response`
 * when it holds none.
 */
export function tokenOf(
  answer: EntraAnswer,
  start: { wall: number; monotonic: number },
): AccessToken {
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

/**
 * How far the local clock is ahead of Entra ID's; undefined for an answer that is not Entra's or does
 * not say. The Date header has whole seconds: half a second is added to hit the middle of its second.
 */
export function skewMs({ headers, json }: EntraAnswer, now: number): number | undefined {
  const date = httpDate(headers['date'] ?? '', now)
  return json === undefined || date === undefined ? undefined : now - (date + 500)
}
