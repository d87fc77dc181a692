/** What the operating system and Node say of this process, read only when Prometheus asks. */
import { readdirSync } from 'node:fs'
import type { Readers, Sample } from './exposition.ts'

type ProcessMetric = Extract<keyof Readers, `process_${string}` | `nodejs_${string}`>

/** Computed once: a start that moves with the clock would look like a restart. */
const STARTED_AT = Math.floor(Date.now() / 1000 - process.uptime())

export const processReaders: Pick<Readers, ProcessMetric> = {
  process_cpu_seconds_total: () => {
    const { user, system } = process.cpuUsage()
    return single((user + system) / 1e6)
  },
  process_resident_memory_bytes: () => single(process.memoryUsage.rss()),
  process_start_time_seconds: () => single(STARTED_AT),
  process_open_fds: () => single(openFiles()),
  nodejs_heap_used_bytes: () => single(process.memoryUsage().heapUsed),
}

/** The samples of a metric without labels: one, or none for a value that is not known. */
export function single(value: number | undefined): readonly Sample[] {
  return value === undefined ? [] : [{ labels: [], value }]
}

function openFiles(): number | undefined {
  try {
    // The directory itself is open while it is read.
    return readdirSync('/proc/self/fd').length - 1
  } catch {
    return undefined
  }
}
