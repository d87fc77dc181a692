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

type Tile = readonly [title: string, figure: string, note: string]

function renderTile([title, figure, note]: Tile): Html {
  return html`<li class="card tile">
    <h3>${title}</h3>
    <p class="figure">${figure}</p>
    <p class="quiet small">${note}</p>
  </li>`
}

function describeRequests({ requests, failed }: TrafficSample): Tile {
  const note = failed === 0 ? 'none failed' : `${formatCount(failed)} failed`
  return ['Requests', formatCount(requests), note]
}

function describeLatency({ durations, waited }: TrafficSample): Tile {
  const { bounds, counts } = durations
  const median = estimateMedian(durations)
  if (median === undefined) return ['Latency', '–', 'no request']
  const bound = bounds[counts.findLastIndex((count) => count > 0)]
  const slowest = bound === undefined ? `> ${bounds.at(-1)} s` : `≤ ${formatSeconds(bound)}`
  // The rest of a slow request is the node or a CPU limit.
  const waiting = `${waited === 0 ? 'none' : formatCount(waited)} waited for an exchange`
  return ['Latency', formatLatency(median, bounds), `median; slowest ${slowest}, ${waiting}`]
}

function describeCacheHits({ lookups, hits }: TrafficSample): Tile {
  const share = lookups === 0 ? '–' : `${Math.floor((hits / lookups) * 100)} %`
  return ['Cache hits', share, `${formatCount(hits)} of ${formatCount(lookups)} token requests`]
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

/** Formats an estimate, which is open outside the bounds. */
function formatLatency(seconds: number, bounds: readonly number[]): string {
  const [shortest = 0] = bounds
  const longest = bounds.at(-1) ?? 0
  if (seconds <= shortest) return `< ${formatSeconds(shortest)}`
  return seconds >= longest ? `≥ ${formatSeconds(longest)}` : formatSeconds(seconds)
}

/** Formats a duration with two digits. */
function formatSeconds(seconds: number): string {
  return seconds < 1
    ? `${Number((seconds * 1000).toPrecision(2))} ms`
    : `${Number(seconds.toPrecision(2))} s`
}

/** Formats a whole number with commas for thousands. */
function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}
