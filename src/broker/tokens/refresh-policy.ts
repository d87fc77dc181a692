/** When to refresh a token. Pure: no clock is read, no timer is set. */
import { MIN_TTL_MS } from './lifetime.ts'

const SECOND_MS = 1000
const MINUTE_MS = 60_000

/** A lifetime of more than twice this is refreshed at least this long before it ends. */
const REFRESH_MARGIN_MS = 10 * MINUTE_MS
/** The shortest time between two exchanges of one key. */
const MIN_REFRESH_MS = SECOND_MS
/** The lower limits of `refresh_in`: a part of the lifetime, and a time for lifetimes twice as long. */
const MIN_REFRESH_IN_SHARE = 1 / 10
const MIN_REFRESH_IN_MS = MINUTE_MS
/** A refresh may take this much longer than the exchange before it and still be in time. */
const DURATION_TOLERANCE = 1.25
const REFRESH_JITTER = 0.1

/**
 * Returns when to refresh a token, in milliseconds after it was requested: at Entra's `refresh_in`, with a
 * lower limit so that a wrong value causes no flood of exchanges, or at half of its lifetime. Jitter keeps
 * pods apart that started together. Not in the last ten minutes of a lifetime longer than twenty, and early
 * enough for an exchange that takes as long as the last one did (`durationMs`). `random` returns [0, 1).
 */
export function computeRefreshDelayMs(
  { lifetimeMs, refreshInMs }: { lifetimeMs: number; refreshInMs?: number | undefined },
  durationMs: number,
  random: () => number,
): number {
  const desired =
    refreshInMs === undefined
      ? (lifetimeMs / 2) * (1 - REFRESH_JITTER + 2 * REFRESH_JITTER * random())
      : Math.max(refreshInMs, minRefreshInMs(lifetimeMs)) * (1 + REFRESH_JITTER * random())
  const margin = lifetimeMs > 2 * REFRESH_MARGIN_MS ? REFRESH_MARGIN_MS : MIN_TTL_MS
  const latest = lifetimeMs - Math.max(margin, MIN_TTL_MS + DURATION_TOLERANCE * durationMs)
  return Math.max(MIN_REFRESH_MS, Math.min(desired, latest))
}

function minRefreshInMs(lifetimeMs: number): number {
  return Math.max(lifetimeMs * MIN_REFRESH_IN_SHARE, Math.min(MIN_REFRESH_IN_MS, lifetimeMs / 2))
}
