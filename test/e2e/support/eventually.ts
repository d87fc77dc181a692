/** Waits for conditions in the cluster. */
import { setTimeout as sleep } from 'node:timers/promises'

/** Returns the first result of `attempt` that is not undefined. Retries an attempt that throws. */
export async function eventually<T>(
  what: string,
  attempt: () => Promise<T | undefined>,
  { withinMs = 60_000, everyMs = 500 } = {},
): Promise<T> {
  const deadline = performance.now() + withinMs
  let last: unknown
  for (;;) {
    try {
      const result = await attempt()
      if (result !== undefined) return result
    } catch (error) {
      last = error
    }
    if (performance.now() > deadline) {
      throw new Error(`not within ${withinMs} ms: ${what}`, { cause: last })
    }
    await sleep(everyMs)
  }
}
