/** The difference between the clock of this machine and the clock of Entra ID. */
import { type Clock, readWallOffset } from '../tokens/lifetime.ts'

/** Above this skew, Entra ID and resources may reject tokens as expired or not yet valid. */
const MAX_SKEW_MS = 300_000

export const SKEW_FIX = 'synchronize the clock of the node (NTP)'

/** Returns true for a skew that people have to fix. */
export function isSkewed(skewMs: number | undefined): skewMs is number {
  return skewMs !== undefined && Math.abs(skewMs) > MAX_SKEW_MS
}

/** Returns a clause such as `the clock of this machine is 899.6 s behind that of Entra ID`. */
export function describeSkew(skewMs: number, machine = 'this machine'): string {
  const seconds = Math.round(Math.abs(skewMs) / 100) / 10
  return `the clock of ${machine} is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} that of Entra ID`
}

/**
 * Tracks the skew, and calls `onSkewed` when it becomes one that people have to fix. Entra's clock is remembered as an offset
 * to the monotonic clock, so that setting the wall clock changes the skew.
 */
export function createSkewMonitor(clock: Clock, onSkewed: (message: string) => void) {
  let entraOffset: number | undefined
  let wasSkewed = false
  return {
    /** Returns the skew now; undefined before the first response of Entra ID. */
    skewMs: () => (entraOffset === undefined ? undefined : readWallOffset(clock) - entraOffset),
    onSkew: (ms: number) => {
      if (isSkewed(ms) && !wasSkewed) onSkewed(`${describeSkew(ms)}. Fix: ${SKEW_FIX}`)
      wasSkewed = isSkewed(ms)
      entraOffset = readWallOffset(clock) - ms
    },
  }
}
