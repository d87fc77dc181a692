/** The two clocks: the wall clock, which can be set, and the monotonic clock, which cannot. */

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
