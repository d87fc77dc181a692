/** A running clock that a test can move. Entra ID uses it, too. */
import { systemClock, type Clock } from '../../../src/broker/tokens/lifetime.ts'

export function movedClock(): Clock & { readonly pass: (ms: number) => void } {
  let passed = 0
  return {
    wall: () => systemClock.wall() + passed,
    monotonic: () => systemClock.monotonic() + passed,
    pass: (ms) => {
      passed += ms
    },
  }
}
