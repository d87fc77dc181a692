/** How far the clock of this machine is from that of Entra ID. */

/** Above it, Entra ID and resources may reject tokens as expired or not yet valid. */
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
