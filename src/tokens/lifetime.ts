/** Pure rules of a token's life: how much of it is left and when to renew it. */
import type { Clock } from './clock.ts'
import type { AccessToken } from './token.ts'

const SECOND_MS = 1000
const MINUTE_MS = 60_000
/** A token this close to its end is of no use to anybody. */
export const LEAST_LIFE_MS = 500
/** Differences of the two clocks below this are their ordinary drift, not a clock that was set. */
const DRIFT_MS = 500
/** Renewal comes at least this long before expiry, for lives that are long enough for it. */
const LATEST_RENEWAL_MS = 10 * MINUTE_MS
/** Renewals of one key begin at least this far apart, however short its tokens live. */
const LEAST_RENEWAL_MS = SECOND_MS
/** A renewal may take this much longer than the exchange before it and still be in time. */
const RENEWAL_SLACK = 1.25
const JITTER = 0.1

type Life = Pick<AccessToken, 'expiresAt' | 'expiresAtMonotonic'>

/**
 * Milliseconds of life left. The smaller of what the two clocks say, so that neither a clock set
 * back nor a machine that slept makes an expired token look alive.
 */
export function remainingMs(token: Life, clock: Clock): number {
  return remainingAt(token, clock.wall(), clock.monotonic())
}

/** As `remainingMs`, for instants that have been read already. */
export function remainingAt(token: Life, wall: number, monotonic: number): number {
  const byWall = token.expiresAt - wall
  const byMonotonic = token.expiresAtMonotonic - monotonic
  return byWall - byMonotonic > DRIFT_MS ? byMonotonic : byWall
}

/**
 * `expires_in` and `expires_on` of a reply, in whole seconds, that always agree with each other.
 * `expires_in` is at least 1 (R2), also for a token in its last second.
 */
export function expiry(token: Life, clock: Clock): { expiresIn: number; expiresOn: number } {
  const wall = clock.wall()
  const now = Math.floor(wall / SECOND_MS)
  const end = Math.floor((wall + remainingAt(token, wall, clock.monotonic())) / SECOND_MS)
  const expiresIn = Math.max(1, end - now)
  return { expiresIn, expiresOn: now + expiresIn }
}

/**
 * How long after it was asked for a token should be renewed, in milliseconds: when Entra ID said
 * (`refresh_in`), else at half of its life, spread so that pods started together drift apart. Never
 * in the last ten minutes of a life that is longer than twice that, and in a shorter one early enough
 * for an exchange that takes as long as the last one did (`tookMs`). `random` gives [0, 1).
 */
export function renewalDelayMs(
  { lifetimeMs, refreshInMs }: Pick<AccessToken, 'lifetimeMs' | 'refreshInMs'>,
  tookMs: number,
  random: () => number,
): number {
  const wished =
    refreshInMs === undefined
      ? (lifetimeMs / 2) * (1 - JITTER + 2 * JITTER * random())
      : refreshInMs * (1 + JITTER * random())
  const margin = lifetimeMs > 2 * LATEST_RENEWAL_MS ? LATEST_RENEWAL_MS : LEAST_LIFE_MS
  const latest = lifetimeMs - Math.max(margin, LEAST_LIFE_MS + RENEWAL_SLACK * tookMs)
  return Math.max(LEAST_RENEWAL_MS, Math.min(wished, latest))
}
