/** The two clocks: the wall clock, which can be set, and the monotonic clock, which cannot. `lifetime.ts` needs both. */

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
