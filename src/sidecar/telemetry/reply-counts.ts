/**
 * Counts replies in plain numbers, which a scrape reads. Measured alone: 0.4 µs for each reply, where a counter and a
 * histogram of prom-client take 1.3 µs, and a bare server needs 12 µs for all of a request.
 */
import type { ReplyEvent } from '../server/reply.ts'
import type { Sample } from './prometheus.ts'

type Outcome = 'success' | 'client_error' | 'server_error'

/** The replies of one protocol with one outcome. */
interface Durations {
  readonly labels: { readonly protocol: string; readonly outcome: Outcome }
  /** `counts[i]` values were at most the bound `i` and more than the bound before it; the last count has no bound. */
  readonly counts: number[]
  /** Of all values, in seconds. */
  sum: number
}

/** Creates counts by duration with these bounds, in seconds. The series of the protocol `imds` start at 0. */
export function createReplyCounts(bounds: readonly number[]) {
  const counts = new Map<string, Sample & { value: number }>()
  const durations = new Map<string, Durations>()

  function findDurations(protocol: string, outcome: Outcome): Durations {
    const key = `${protocol} ${outcome}`
    const known = durations.get(key)
    if (known !== undefined) return known
    const labels = { protocol, outcome }
    const added = { labels, counts: [...bounds, Infinity].map(() => 0), sum: 0 }
    durations.set(key, added)
    return added
  }

  for (const outcome of ['success', 'client_error', 'server_error'] as const)
    findDurations('imds', outcome)

  return {
    /** Counts a reply to a client library. */
    add: ({ protocol, status, durationMs, error }: ReplyEvent, client: string) => {
      const code = error?.code ?? 'ok'
      const key = `${protocol} ${code} ${client}`
      const count = counts.get(key)
      if (count === undefined) counts.set(key, { labels: { protocol, code, client }, value: 1 })
      else count.value += 1
      const series = findDurations(protocol, classifyStatus(status))
      const seconds = durationMs / 1000
      const at = bounds.findIndex((bound) => seconds <= bound)
      const index = at < 0 ? bounds.length : at
      series.counts[index] = (series.counts[index] ?? 0) + 1
      series.sum += seconds
    },
    counts: (): Sample[] => [...counts.values()],
    /** Returns the samples of the histogram of this name. */
    durations: (name: string) =>
      [...durations.values()].flatMap((series) => toHistogram(name, bounds, series)),
  }
}

/** Returns the samples of one series of a histogram, with cumulative counts. */
function toHistogram(
  name: string,
  bounds: readonly number[],
  { labels, counts, sum }: Durations,
): Sample[] {
  let count = 0
  const buckets = counts.map((added, index) => {
    count += added
    return {
      metricName: `${name}_bucket`,
      labels: { le: bounds[index] ?? '+Inf', ...labels },
      value: count,
    }
  })
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ]
}

function classifyStatus(status: number): Outcome {
  if (status < 400) return 'success'
  return status < 500 ? 'client_error' : 'server_error'
}
