/** The lifetime of a token: when it expires after a clock was set, and what replies say of it. */
import { type Clock, readAwakeTime, readWallOffset } from './clock.ts'

/** The lifetime of a token. */
export interface Lifetime {
  /** When the token was requested, on the monotonic clock. */
  readonly startsAt: number
  /** The lifetime that Entra ID gave it (`expires_in`), in milliseconds. */
  readonly lengthMs: number
  /** The `readWallOffset` when the token arrived. */
  readonly wallOffset: number
}

/** A token with less time to live counts as expired. */
export const MIN_TTL_MS = 500

/** Creates the lifetime of a token that has just arrived. A clock that was set while it was requested does not matter. */
export function createLifetime(startsAt: number, lengthMs: number, clock: Clock): Lifetime {
  return { startsAt, lengthMs, wallOffset: readWallOffset(clock) }
}

/**
 * Returns the time to live in milliseconds. The clock that says less decides: a clock that was set back, or stood
 * still while the machine slept, must not make an expired token look valid.
 */
export function ttlMs({ startsAt, lengthMs, wallOffset }: Lifetime, clock: Clock): number {
  return startsAt + lengthMs - readAwakeTime(wallOffset, clock)
}

/** Returns when the lifetime began and when it ends, in epoch milliseconds by the wall clock as it is set now. */
export function toWallTimes(
  lifetime: Lifetime,
  clock: Clock,
): { obtainedAt: number; expiresAt: number } {
  const expiresAt = clock.wall() + ttlMs(lifetime, clock)
  return { obtainedAt: expiresAt - lifetime.lengthMs, expiresAt }
}

/**
 * Returns `expires_in` and `expires_on` of a reply, in whole seconds: `expires_on` is always now +
 * `expires_in`, and `expires_in` is at least 1 (R2).
 */
export function computeExpiry(
  lifetime: Lifetime,
  clock: Clock,
): { expiresIn: number; expiresOn: number } {
  const wall = clock.wall()
  const now = Math.floor(wall / 1000)
  const end = Math.floor((wall + ttlMs(lifetime, clock)) / 1000)
  const expiresIn = Math.max(1, end - now)
  return { expiresIn, expiresOn: now + expiresIn }
}
