/** Request rate, latency and cache hits as curves. Samples are taken while somebody has the page open. */
import type { TrafficSample } from '../telemetry/metrics.ts'
import { formatDuration, renderSection } from './components.ts'
import { type Html, html } from './html.ts'

const WINDOW_MS = 10 * 60_000
const MIN_SPACING_MS = 1000
/** At one sample in five seconds, which is how often an open page asks, they cover the window. */
const MAX_SAMPLES = 125
/** The figures cover at least this much, so that they do not jump with every request. */
const FIGURE_MS = 60_000

/** Returns the samples with this one added, unless the latest is less than a second old; bounded. */
export function addSample(
  samples: readonly TrafficSample[],
  sample: TrafficSample,
): readonly TrafficSample[] {
  const latest = samples.at(-1)
  if (latest !== undefined && sample.at - latest.at < MIN_SPACING_MS) return samples
  return [...samples, sample].filter(({ at }) => sample.at - at <= WINDOW_MS).slice(-MAX_SAMPLES)
}

/** What was answered between two samples. */
interface Interval extends Omit<TrafficSample, 'at'> {
  readonly from: number
  readonly to: number
}

/** Renders three tiles: a figure of the last minute and a curve of the last ten. */
export function renderTraffic(samples: readonly TrafficSample[]): Html {
  const latest = samples.at(-1)
  if (latest === undefined) return html``
  const intervals = samples.slice(1).map((sample, index) => subtract(sample, samples[index]))
  const recent = subtract(latest, findBase(samples, latest))
  const tiles = [
    renderRequests(latest, recent, intervals),
    renderLatency(latest, recent, intervals),
    renderCacheHits(latest, recent, intervals),
  ]
  return renderSection(
    'traffic',
    'Traffic',
    html`<ul class="tiles">
        ${tiles}
      </ul>
      <p class="quiet small note">
        Curves are drawn while this page is open. Prometheus keeps the same for longer.
      </p>`,
  )
}

/** Returns the sample that the figures are measured from; undefined: the start of the sidecar. */
function findBase(
  samples: readonly TrafficSample[],
  latest: TrafficSample,
): TrafficSample | undefined {
  if (samples.length === 1) return undefined
  return samples.findLast(({ at }) => latest.at - at >= FIGURE_MS) ?? samples[0]
}

/** Returns what was counted after `earlier`, or since the start of the sidecar. */
function subtract(later: TrafficSample, earlier: TrafficSample | undefined): Interval {
  const { bounds, counts } = later.durations
  return {
    from: earlier?.at ?? 0,
    to: later.at,
    requests: later.requests - (earlier?.requests ?? 0),
    failed: later.failed - (earlier?.failed ?? 0),
    durations: {
      bounds,
      counts: counts.map((count, index) => count - (earlier?.durations.counts[index] ?? 0)),
    },
    lookups: later.lookups - (earlier?.lookups ?? 0),
    hits: later.hits - (earlier?.hits ?? 0),
  }
}

type Curve = (interval: Interval) => number | undefined

const perSecond = (count: number, { from, to }: Interval) => (count * 1000) / Math.max(1, to - from)
const requestRate: Curve = (interval) => perSecond(interval.requests, interval)
/** Without failures there is no curve: it would cover the axis. */
const failureRate: Curve = (interval) =>
  interval.failed > 0 ? perSecond(interval.failed, interval) : undefined
const hitRatio: Curve = ({ lookups, hits }) => (lookups > 0 ? hits / lookups : undefined)
const p99: Curve = ({ durations }) => estimateQuantile(0.99, durations)

function renderRequests(total: TrafficSample, recent: Interval, intervals: Interval[]): Html {
  const rate = requestRate(recent) ?? 0
  const failed = total.failed === 0 ? 'none failed' : `${formatCount(total.failed)} failed`
  return renderTile({
    title: 'Requests',
    figure: html`${formatRate(rate)}<span class="unit">/s</span>`,
    notes: [
      `${recent.from === 0 ? 'on average ' : ''}${describePeriod(recent)}`,
      `${formatCount(total.requests)} since the start, ${failed}`,
    ],
    name: 'Requests per second',
    total,
    intervals,
    curves: [
      { value: requestRate, className: 'curve' },
      { value: failureRate, className: 'curve bad' },
    ],
    format: (value) => `${formatRate(value)}/s`,
  })
}

function renderLatency(total: TrafficSample, recent: Interval, intervals: Interval[]): Html {
  const format = (seconds: number) => formatLatency(seconds, total.durations.bounds)
  const median = estimateQuantile(0.5, recent.durations)
  const slowest = p99(recent)
  return renderTile({
    title: 'Latency',
    figure: html`${median === undefined ? '–' : format(median)}`,
    notes: [
      `${median === undefined ? 'no request' : 'median'} ${describePeriod(recent)}`,
      `99th percentile ${slowest === undefined ? '–' : format(slowest)}`,
    ],
    name: '99th percentile of the latency',
    total,
    intervals,
    curves: [{ value: p99, className: 'curve' }],
    format,
  })
}

function renderCacheHits(total: TrafficSample, recent: Interval, intervals: Interval[]): Html {
  const ratio = hitRatio(recent)
  return renderTile({
    title: 'Cache hits',
    figure: html`${ratio === undefined ? '–' : formatPercent(ratio)}`,
    notes: [
      `${ratio === undefined ? 'no token request' : 'of token requests'} ${describePeriod(recent)}`,
      `${formatCount(total.hits)} of ${formatCount(total.lookups)} since the start`,
    ],
    name: 'Share of token requests that the cache answered',
    total,
    intervals,
    curves: [{ value: hitRatio, className: 'curve' }],
    isRatio: true,
    format: formatPercent,
  })
}

interface Tile {
  readonly title: string
  readonly figure: Html
  readonly notes: readonly [string, string]
  /** What the first curve shows, for screen readers. */
  readonly name: string
  readonly total: TrafficSample
  readonly intervals: readonly Interval[]
  readonly curves: readonly { readonly value: Curve; readonly className: string }[]
  /** The axis ends at 1, and the lowest value is named instead of the highest. */
  readonly isRatio?: boolean
  readonly format: (value: number) => string
}

const WIDTH = 600
const HEIGHT = 48

function renderTile({ title, figure, notes, name, total, intervals, ...rest }: Tile): Html {
  const { curves, isRatio = false, format } = rest
  const values = intervals.flatMap((interval) => curves[0]?.value(interval) ?? [])
  const highest = Math.max(0, ...values)
  const extreme = isRatio ? `lowest ${format(Math.min(...values))}` : `highest ${format(highest)}`
  const scale = isRatio ? 1 : highest || 1
  return html`<li class="card tile">
    <h3>${title}</h3>
    <p class="figure">${figure}</p>
    <p class="quiet small">${notes[0]}<br />${notes[1]}</p>
    <svg
      class="spark"
      role="img"
      aria-label="${name} in the last ten minutes${values.length === 0 ? ': no curve yet' : `: ${extreme}`}"
      viewBox="0 -2 ${WIDTH} ${HEIGHT + 3}"
      preserveAspectRatio="none"
    >
      <path class="axis" d="M0 ${HEIGHT}H${WIDTH}" />
      ${curves.map(({ value, className }) => {
        const line = drawSteps(intervals, value, { end: total.at, scale })
        return line === '' ? undefined : html`<path class="${className}" d="${line}" />`
      })}
    </svg>
    <p class="row small quiet">
      <span>10 min ago</span>
      ${values.length === 0 ? undefined : html`<span>${extreme}</span>`}
      <span>now</span>
    </p>
  </li>`
}

/** Draws the value of each interval as a step; without a value there is a gap. */
function drawSteps(
  intervals: readonly Interval[],
  value: Curve,
  { end, scale }: { readonly end: number; readonly scale: number },
): string {
  const toX = (at: number) => round(WIDTH * (1 - (end - at) / WINDOW_MS))
  let path = ''
  let isDrawing = false
  for (const interval of intervals) {
    const y = value(interval)
    if (y !== undefined) {
      const height = round(HEIGHT * (1 - Math.min(1, y / scale)))
      path += `${isDrawing ? 'V' : `M${toX(interval.from)} `}${height}H${toX(interval.to)}`
    }
    isDrawing = y !== undefined
  }
  return path
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

/**
 * Estimates a quantile in seconds as Prometheus does: values are spread evenly over their bucket, and no value
 * is above the last bound. Undefined without values.
 */
function estimateQuantile(
  quantile: number,
  { bounds, counts }: TrafficSample['durations'],
): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return undefined
  let rank = quantile * total
  for (const [index, bound] of bounds.entries()) {
    const count = counts[index] ?? 0
    const lower = bounds[index - 1] ?? 0
    if (rank <= count) return lower + ((bound - lower) * rank) / count
    rank -= count
  }
  return bounds.at(-1)
}

function describePeriod({ from, to }: Interval): string {
  if (from === 0) return 'since the start'
  const isMinute = Math.abs(to - from - FIGURE_MS) < 6000
  return `in the last ${isMinute ? 'minute' : formatDuration(to - from)}`
}

function formatRate(rate: number): string {
  if (rate === 0) return '0'
  if (rate < 0.01) return '< 0.01'
  return rate < 10 ? String(Number(rate.toPrecision(2))) : formatCount(Math.round(rate))
}

function formatLatency(seconds: number, bounds: readonly number[]): string {
  const [shortest = 0] = bounds
  const longest = bounds.at(-1) ?? 0
  if (seconds <= shortest) return `< ${shortest * 1000} ms`
  if (seconds >= longest) return `≥ ${longest} s`
  if (seconds < 1) return `${Number((seconds * 1000).toPrecision(2))} ms`
  return `${Number(seconds.toPrecision(2))} s`
}

function formatPercent(ratio: number): string {
  return `${Math.floor(ratio * 100)} %`
}

/** Formats a whole number with commas for thousands. */
function formatCount(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ',')
}
