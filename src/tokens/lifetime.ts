/** Pure rules of a token's life: how much of it is left and when to renew it. */
import type { Clock } from './clock.ts'
import type { AccessToken } from './token.ts'

const MINUTE_MS = 60_000
/** A token this close to its end is of no use to anybody, and `expires_in` is never below 1 (R2). */
const LEAST_LIFE_MS = 1000
/** Differences of the two clocks below this are their ordinary drift, not a clock that was set. */
const DRIFT_MS = 1000
/** Renewal comes at least this long before expiry, for lives that are long enough for it. */
const LATEST_RENEWAL_MS = 10 * MINUTE_MS
const JITTER = 0.1

type Life = Pick<AccessToken, 'expiresAt' | 'expiresAtMonotonic'>

/**
 * Milliseconds of life left. The smaller of what the two clocks say, so that neither a clock set
 * back nor a machine that slept makes an expired token look alive.
 */
export function remainingMs(token: Life, clock: Clock): number {
  const byWall = token.expiresAt - clock.wall()
  const byMonotonic = token.expiresAtMonotonic - clock.monotonic()
  return byWall - byMonotonic > DRIFT_MS ? byMonotonic : byWall
}

/** True while the token can be handed to a caller. */
export function isUsable(token: Life, clock: Clock): boolean {
  return remainingMs(token, clock) >= LEAST_LIFE_MS
}

/**
 * `expires_in` and `expires_on` of a reply, in whole seconds, that always agree with each other;
 * `expires_in` is at least 1 for a usable token.
 */
export function expiry(token: Life, clock: Clock): { expiresIn: number; expiresOn: number } {
  const now = clock.wall()
  const expiresOn = Math.floor((now + remainingMs(token, clock)) / 1000)
  return { expiresOn, expiresIn: expiresOn - Math.floor(now / 1000) }
}

/**
 * How long after it was obtained a token should be renewed, in milliseconds: when Entra ID said
 * (`refresh_in`), else at half of its life, spread so that pods started together drift apart, and
 * never in the last ten minutes of a life that is longer than twice that. `random` gives [0, 1).
 */
export function renewalDelayMs(
  { lifetimeMs, refreshInMs }: Pick<AccessToken, 'lifetimeMs' | 'refreshInMs'>,
  random: () => number,
): number {
  const delay =
    refreshInMs === undefined
      ? (lifetimeMs / 2) * (1 - JITTER + 2 * JITTER * random())
      : refreshInMs * (1 + JITTER * random())
  const latest = lifetimeMs > 2 * LATEST_RENEWAL_MS ? lifetimeMs - LATEST_RENEWAL_MS : lifetimeMs
  return Math.min(delay, latest)
}
