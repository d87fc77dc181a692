/** How late timers fire: what makes every caller wait, whatever Entra ID does. */

/** The longest delay of the last minute, in milliseconds; the first call starts the watch. */
type EventLoopLag = () => number

const EVERY_MS = 1000
const KEPT = 60

/**
 * One timer a second, where perf_hooks would need a hundred; and none before somebody asks. `now` is
 * monotonic, in milliseconds.
 */
export function eventLoopLag(now: () => number = () => performance.now()): EventLoopLag {
  const delays: number[] = []
  let dueAt: number | undefined

  function tick(): void {
    if (dueAt !== undefined) delays.push(Math.max(0, now() - dueAt))
    if (delays.length > KEPT) delays.shift()
    dueAt = now() + EVERY_MS
    setTimeout(tick, EVERY_MS).unref()
  }

  return () => {
    if (dueAt === undefined) tick()
    return Math.max(0, ...delays)
  }
}
