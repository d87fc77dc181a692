/**
 * Counts replies in samples, which a scrape reads. Measured alone: 0.4 µs for each reply, where a counter and a
 * histogram of prom-client take 0.8 µs. With these a cached request cost 6 to 21 % more in most runs, and the bar of 1.5
 * times a bare server leaves 8 %.
 */
import type { ReplyEvent } from '../server/reply.ts'
import type { Sample } from './prometheus.ts'

type Count = Sample & { value: number }
type Outcome = 'success' | 'client_error' | 'server_error'

/** The samples of the histogram for the replies of one protocol with one outcome. */
interface Durations {
  /** Each counts the values up to its bound, in seconds. */
  readonly buckets: readonly (Count & { readonly bound: number })[]
  readonly sum: Count
  readonly count: Count
}

/** Creates the counts, and a histogram of this name. The series of the protocol `imds` start at 0. */
export function createReplyCounts(name: string, bounds: readonly number[]) {
  const counts = new Map<string, Count>()
  const durations = new Map<string, Durations>()

  function findDurations(protocol: string, outcome: Outcome): Durations {
    const key = `${protocol} ${outcome}`
    const labels = { protocol, outcome }
    const series = durations.get(key) ?? {
      buckets: [...bounds, Infinity].map((bound) => ({
        bound,
        metricName: `${name}_bucket`,
        labels: { le: bound === Infinity ? '+Inf' : bound, ...labels },
        value: 0,
      })),
      sum: { metricName: `${name}_sum`, labels, value: 0 },
      count: { metricName: `${name}_count`, labels, value: 0 },
    }
    durations.set(key, series)
    return series
  }

  for (const outcome of ['success', 'client_error', 'server_error'] as const)
    findDurations('imds', outcome)

  return {
    /** Counts a reply to a client library. */
    add: ({ protocol, status, durationMs, error }: ReplyEvent, client: string) => {
      const code = error?.code ?? 'ok'
      const key = `${protocol} ${code} ${client}`
      const replies = counts.get(key) ?? { labels: { protocol, code, client }, value: 0 }
      replies.value += 1
      counts.set(key, replies)
      const seconds = durationMs / 1000
      const { buckets, sum, count } = findDurations(protocol, classifyStatus(status))
      for (const bucket of buckets) if (seconds <= bucket.bound) bucket.value += 1
      sum.value += seconds
      count.value += 1
    },
    counts: (): Sample[] => [...counts.values()],
    durations: (): Sample[] =>
      [...durations.values()].flatMap(({ buckets, sum, count }) => [...buckets, sum, count]),
  }
}

function classifyStatus(status: number): Outcome {
  if (status < 400) return 'success'
  return status < 500 ? 'client_error' : 'server_error'
}
