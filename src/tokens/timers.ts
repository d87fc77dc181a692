/** The timers that start exchanges ahead of need, and the bound on those that only look for recovery. */
import type { Clock } from './clock.ts'
import type { Entry } from './entry.ts'

interface Timers {
  /** Wakes the entry after `delayMs`, or sooner to look at the clocks. Replaces its timer. */
  readonly arm: (entry: Entry, delayMs: number) => void
  readonly disarm: (entry: Entry) => void
  /** From now on nothing is armed. */
  readonly close: () => void
}

/** Timers look at the clocks at least this often, since they stand still while a machine sleeps. */
const LONGEST_NAP_MS = 60_000
/** Keys that are probed for recovery at the same time; callers try the others. */
const MAX_PROBES = 32

/**
 * At most one timer per entry. There is none for what was let go, nor for what holds nothing and is
 * not kept warm if it was refused for good or enough others are probed for.
 */
export function timers(clock: Pick<Clock, 'monotonic'>, wake: (entry: Entry) => void): Timers {
  const probing = new Set<Entry>()
  let isClosed = false

  function arm(entry: Entry, delayMs: number): void {
    disarm(entry)
    if (isClosed || entry.isLetGo) return
    entry.wakeAt = clock.monotonic() + delayMs
    if (entry.token === undefined && !entry.keepWarm) {
      if (entry.failure?.error.isPermanent === true || probing.size >= MAX_PROBES) return
      probing.add(entry)
    }
    entry.timer = setTimeout(wake, Math.min(delayMs, LONGEST_NAP_MS), entry).unref()
  }

  function disarm(entry: Entry): void {
    clearTimeout(entry.timer)
    delete entry.timer
    probing.delete(entry)
  }

  return {
    arm,
    disarm,
    close: () => {
      isClosed = true
    },
  }
}
