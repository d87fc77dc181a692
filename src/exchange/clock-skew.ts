/** Describes how far the clock of this machine is from that of Entra ID. */

/** Above it, Entra ID and resources may reject tokens as expired or not yet valid. */
export const MAX_SKEW_MS = 300_000

export const SKEW_FIX = 'synchronize the clock of the node (NTP)'

/** Returns a clause such as `the clock of this machine is 899.6 s behind that of Entra ID`. */
export function describeSkew(skewMs: number): string {
  const seconds = Math.round(Math.abs(skewMs) / 100) / 10
  return `the clock of this machine is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} that of Entra ID`
}
