/**
 * The two clocks, and the lifetime of a token by both: when it expires after a clock was set, when it is refreshed, and which
 * expiry replies have.
 */

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

/** Returns how far the wall clock is ahead of the monotonic clock: it changes when the clock is set or the machine sleeps. */
export function readWallOffset({ wall, monotonic }: Clock): number {
  return wall() - monotonic()
}

/** Returns an instant of the monotonic clock in epoch milliseconds, by the current setting of the wall clock. */
export function toWallTime(at: number, clock: Clock): number {
  return at + readWallOffset(clock)
}

export interface Lifetime {
  /** When the token was requested, on the monotonic clock. */
  readonly startsAt: number
  /** The lifetime that Entra ID gave it (`expires_in`), in milliseconds. */
  readonly lengthMs: number
  /** The `readWallOffset` when the token arrived. */
  readonly wallOffset: number
}

/** A token with less time to live than this counts as expired. */
export const MIN_TTL_MS = 500

/** The two clocks drift apart by less than this; a larger difference means that one was set. */
const MAX_DRIFT_MS = 500

/** Creates the lifetime of a token that has just arrived. Setting the clock during the request does not change it. */
export function createLifetime(startsAt: number, lengthMs: number, clock: Clock): Lifetime {
  return { startsAt, lengthMs, wallOffset: readWallOffset(clock) }
}

/**
 * Returns the time to live in milliseconds. The clock that says less decides: a clock that was set back, or stood
 * still while the machine slept, must not make an expired token look valid.
 */
export function ttlMs({ startsAt, lengthMs, wallOffset }: Lifetime, clock: Clock): number {
  const now = clock.monotonic()
  const byWall = clock.wall() - wallOffset
  return startsAt + lengthMs - (now - byWall > MAX_DRIFT_MS ? now : byWall)
}

/** Returns when the lifetime began and when it ends, in epoch milliseconds by the current setting of the wall clock. */
export function toWallTimes(
  lifetime: Lifetime,
  clock: Clock,
): { obtainedAt: number; expiresAt: number } {
  const expiresAt = clock.wall() + ttlMs(lifetime, clock)
  return { obtainedAt: expiresAt - lifetime.lengthMs, expiresAt }
}

/** A token with less time to live than this, or than this share of a short lifetime, may expire while it is used. */
const ENDING_MS = 30_000
const ENDING_SHARE = 1 / 6

/** Returns true if callers wait for a new token instead of getting this one, whose time to live is `ttl`. */
export function isEnding(ttl: number, lifetimeMs: number): boolean {
  return ttl < Math.min(ENDING_MS, lifetimeMs * ENDING_SHARE)
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

const MINUTE_MS = 60_000

/** A token that lives for more than twice this time is refreshed at least this long before it expires. */
const REFRESH_MARGIN_MS = 10 * MINUTE_MS
/** The shortest time between two exchanges of one key. */
const MIN_REFRESH_MS = 1000
/** The lower limit of `refresh_in`, as a part of the lifetime. */
const MIN_REFRESH_IN_SHARE = 1 / 10
/** A refresh may take this much longer than the exchange before it and still be in time. */
const DURATION_TOLERANCE = 1.25
const REFRESH_JITTER = 0.1

/**
 * Returns when to refresh a token, in milliseconds after it was requested: at Entra's `refresh_in`, or without one at half of
 * the lifetime. A lower limit keeps a wrong `refresh_in` from causing a flood of exchanges. Jitter keeps pods apart that
 * started together. If the token lives longer than twenty minutes, the refresh starts at least ten minutes before its end. A
 * refresh as slow as the last exchange (`durationMs`) still ends in time. `random` returns [0, 1).
 */
export function computeRefreshDelayMs(
  { lifetimeMs, refreshInMs }: { lifetimeMs: number; refreshInMs?: number | undefined },
  durationMs: number,
  random: () => number,
): number {
  const desired =
    refreshInMs === undefined
      ? (lifetimeMs / 2) * (1 - REFRESH_JITTER + 2 * REFRESH_JITTER * random())
      : Math.max(refreshInMs, lifetimeMs * MIN_REFRESH_IN_SHARE) * (1 + REFRESH_JITTER * random())
  const margin = lifetimeMs > 2 * REFRESH_MARGIN_MS ? REFRESH_MARGIN_MS : MIN_TTL_MS
  const latest = lifetimeMs - Math.max(margin, MIN_TTL_MS + DURATION_TOLERANCE * durationMs)
  return Math.max(MIN_REFRESH_MS, Math.min(desired, latest))
}
