/** Requests, latency and cache hits since the start. Prometheus has them over time. */
import type { TrafficSample } from '../telemetry/metrics.ts'
import { renderSection } from './components.ts'
import { type Html, html } from './html.ts'

/** Renders a tile for each. */
export function renderTraffic(sample: TrafficSample): Html {
  const tiles = [describeRequests(sample), describeLatency(sample), describeCacheHits(sample)]
  return renderSection({
    id: 'traffic',
    title: 'Traffic since the start',
    content: html`<ul class="tiles">
        ${tiles.map(renderTile)}
      </ul>
      <p class="quiet small note">
        Requests that waited for an exchange take as long as it; the others are answered from
        memory.
      </p>`,
  })
}

interface Tile {
  readonly title: string
  readonly figure: string
  readonly note: string
}

function renderTile({ title, figure, note }: Tile): Html {
  return html`<li class="card tile">
    <h3>${title}</h3>
    <p class="figure">${figure}</p>
    <p class="quiet small">${note}</p>
  </li>`
}

function describeRequests({ requests, failed }: TrafficSample): Tile {
  const note = failed === 0 ? 'none failed' : `${formatCount(failed)} failed`
  return { title: 'Requests', figure: formatCount(requests), note }
}

function describeLatency({ durations, waited }: TrafficSample): Tile {
  const { bounds, counts } = durations
  const median = estimateMedian(durations)
  if (median === undefined) return { title: 'Latency', figure: '–', note: 'no request' }
  const slowest = bounds[counts.findLastIndex((count) => count > 0)] ?? Infinity
  // The rest of a slow request is the node or a CPU limit.
  const waiting = `${waited === 0 ? 'none' : formatCount(waited)} waited for an exchange`
  return {
    title: 'Latency',
    figure: formatLatency(median, bounds),
    note: `median; slowest ${formatBound(slowest, bounds)}, ${waiting}`,
  }
}

function describeCacheHits({ lookups, hits }: TrafficSample): Tile {
  return {
    title: 'Cache hits',
    figure: lookups === 0 ? '–' : `${Math.floor((hits / lookups) * 100)} %`,
    note: `${formatCount(hits)} of ${formatCount(lookups)} token requests`,
  }
}

/**
 * Estimates the median in seconds as Prometheus does: values are spread evenly over their bucket, and no value
 * is above the last bound. Undefined without values.
 */
function estimateMedian({ bounds, counts }: TrafficSample['durations']): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return undefined
  let rank = total / 2
  for (const [index, bound] of bounds.entries()) {
    const count = counts[index] ?? 0
    const lower = bounds[index - 1] ?? 0
    if (rank <= count) return lower + ((bound - lower) * rank) / count
    rank -= count
  }
  return bounds.at(-1)
}

function formatLatency(seconds: number, bounds: readonly number[]): string {
  const [shortest = 0] = bounds
  const longest = bounds.at(-1) ?? 0
  if (seconds <= shortest) return `< ${shortest * 1000} ms`
  if (seconds >= longest) return `≥ ${longest} s`
  if (seconds < 1) return `${Number((seconds * 1000).toPrecision(2))} ms`
  return `${Number(seconds.toPrecision(2))} s`
}

/** Formats the bound of a bucket; the last bucket has none. */
function formatBound(bound: number, bounds: readonly number[]): string {
  if (bound === Infinity) return `> ${bounds.at(-1)} s`
  return `≤ ${bound < 1 ? `${bound * 1000} ms` : `${bound} s`}`
}

/** Formats a whole number with commas for thousands. */
function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}
