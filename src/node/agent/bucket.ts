/** A token bucket: how often something may happen at once, and in a second. */

/** Creates a function that takes `count` tokens. The function returns false, and takes none, if the bucket has fewer. */
export function createBucket(burst: number, perSecond: number): (count?: number) => boolean {
  let left = burst
  let filledAt = performance.now()
  return (count = 1) => {
    const at = performance.now()
    left = Math.min(burst, left + ((at - filledAt) / 1000) * perSecond)
    filledAt = at
    if (left < count) return false
    left -= count
    return true
  }
}
