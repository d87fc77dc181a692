/** The two clocks: the wall clock, which can be set, and the monotonic clock, which cannot. A token lives by both. */

export interface Clock {
  /** Epoch milliseconds. Jumps when the clock is set; runs on while the machine sleeps. */
  readonly wall: () => number
  /** Milliseconds from an arbitrary start. Never jumps; may stand still while the machine sleeps. */
  readonly monotonic: () => number
}

/** The clocks of this machine. */
export const systemClock: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
}

/** The two clocks drift apart by less than this; a larger difference means that one was set. */
const MAX_DRIFT_MS = 500

/** Returns how far the wall clock is ahead of the monotonic clock: it changes when the clock is set or the machine sleeps. */
export function readWallOffset({ wall, monotonic }: Clock): number {
  return wall() - monotonic()
}

/**
 * Returns the monotonic clock, ahead by the time that the machine has slept since `wallOffset` was read. A wall clock
 * that was set forward looks the same; one that was set back does not count.
 */
export function readAwakeTime(wallOffset: number, clock: Clock): number {
  const now = clock.monotonic()
  const byWall = clock.wall() - wallOffset
  return now - byWall > MAX_DRIFT_MS ? now : byWall
}

/** Returns an instant of the monotonic clock in epoch milliseconds, by the wall clock as it is set now. */
export function toWallTime(at: number, clock: Clock): number {
  return at + readWallOffset(clock)
}

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
