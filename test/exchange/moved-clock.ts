/** A clock that runs, and that a test can move. */
import { systemClock, type Clock } from '../../src/tokens/clock.ts'

interface MovedClock extends Clock {
  /** What a clock that nobody sets and that never sleeps shows: for Entra ID. */
  readonly truth: () => number
  /** Time passes. */
  readonly pass: (ms: number) => void
  /** The machine sleeps: time passes, but not for its monotonic clock. */
  readonly sleep: (ms: number) => void
  /** Somebody sets the wall clock. */
  readonly jump: (ms: number) => void
}

export function movedClock(): MovedClock {
  let passed = 0
  let slept = 0
  let jumped = 0
  const truth = () => systemClock.wall() + passed + slept
  return {
    wall: () => truth() + jumped,
    monotonic: () => systemClock.monotonic() + passed,
    truth,
    pass: (ms) => {
      passed += ms
    },
    sleep: (ms) => {
      slept += ms
    },
    jump: (ms) => {
      jumped += ms
    },
  }
}
