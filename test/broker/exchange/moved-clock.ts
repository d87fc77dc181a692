/** A running clock that a test can change. */
import { systemClock, type Clock } from '../../../src/broker/tokens/lifetime.ts'

interface MovedClock extends Clock {
  /** Returns the true time in epoch milliseconds: the clock of Entra ID. */
  readonly truth: () => number
  /** Advances all clocks. */
  readonly pass: (ms: number) => void
  /** Suspends the machine: the true time advances, its monotonic clock does not. */
  readonly sleep: (ms: number) => void
  /** Sets the wall clock. */
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
