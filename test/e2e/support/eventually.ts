/** Waiting for what a cluster does in its own time. */
import { setTimeout as sleep } from 'node:timers/promises'

/** The first result of `attempt` that is not undefined. A failing attempt is tried again. */
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
      throw new Error(`${what} within ${withinMs} ms`, { cause: last })
    }
    await sleep(everyMs)
  }
}
