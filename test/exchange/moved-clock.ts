/** A clock that runs, and that a test can move. */
import { systemClock, type Clock } from '../../src/tokens/clock.ts'

interface MovedClock extends Clock {
  /** Both clocks: time passes. */
  readonly pass: (ms: number) => void
  /** The wall clock alone: somebody sets it, or the machine slept. */
  readonly jump: (ms: number) => void
}

export function movedClock(): MovedClock {
  let passed = 0
  let jumped = 0
  return {
    wall: () => systemClock.wall() + passed + jumped,
    monotonic: () => systemClock.monotonic() + passed,
    pass: (ms) => {
      passed += ms
    },
    jump: (ms) => {
      jumped += ms
    },
  }
}
