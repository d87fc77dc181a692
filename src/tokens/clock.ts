/** Time by two clocks: the wall clock, which people and other machines set, and one that only runs. */

export interface Clock {
  /** Epoch milliseconds. Jumps when the clock is set; runs on while the machine sleeps. */
  readonly wall: () => number
  /** Milliseconds from an arbitrary start. Never jumps; may stand still while the machine sleeps. */
  readonly monotonic: () => number
}

/** The machine's own. */
export const systemClock: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
}
