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

/** Renders three tiles: a figure of the last minute, or at first since the start, and a curve of the last ten minutes. */
export function renderTraffic(samples: readonly TrafficSample[]): Html {
  const latest = samples.at(-1)
  if (latest === undefined) return html``
  const intervals = samples.slice(1).map((sample, index) => subtract(sample, samples[index]))
  // Since the start of the sidecar until the samples cover a minute.
  const base = samples.findLast(({ at }) => latest.at - at >= FIGURE_MS)
  const recent = subtract(latest, base)
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
        Requests that waited for an exchange take as long as it; the others are answered from
        memory. Curves are drawn while this page is open; Prometheus keeps the same for longer.
      </p>`,
  )
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
    waited: later.waited - (earlier?.waited ?? 0),
  }
}

type Curve = (interval: Interval) => number | undefined

const perSecond = (count: number, { from, to }: Interval) => (count * 1000) / Math.max(1, to - from)
const requestRate: Curve = (interval) => perSecond(interval.requests, interval)
/** Without failures there is no curve: it would cover the axis. */
const failureRate: Curve = (interval) =>
  interval.failed > 0 ? perSecond(interval.failed, interval) : undefined
const hitRatio: Curve = ({ lookups, hits }) => (lookups > 0 ? hits / lookups : undefined)
/** The bound of the bucket that the slowest request is in. */
const slowest: Curve = ({ durations: { bounds, counts } }) => {
  const last = counts.findLastIndex((count) => count > 0)
  return last < 0 ? undefined : (bounds[last] ?? Infinity)
}

function renderRequests(total: TrafficSample, recent: Interval, intervals: Interval[]): Html {
  const rate = requestRate(recent) ?? 0
  const failed = total.failed === 0 ? 'none failed' : `${formatCount(total.failed)} failed`
  const isDrawn = intervals.some((interval) => failureRate(interval) !== undefined)
  return renderTile({
    title: 'Requests',
    figure: html`${formatRate(rate)}<span class="unit">/s</span>`,
    notes: [
      `${recent.from === 0 ? 'on average ' : ''}${describePeriod(recent)}`,
      `${formatCount(total.requests)} since the start, ${failed}${isDrawn ? ' (dashed)' : ''}`,
    ],
    name: 'Requests per second',
    total,
    intervals,
    curves: [
      { value: requestRate, className: 'curve' },
      { value: failureRate, className: 'curve bad' },
    ],
    format: (value) => `highest ${formatRate(value)}/s`,
  })
}

function renderLatency(total: TrafficSample, recent: Interval, intervals: Interval[]): Html {
  const { bounds } = total.durations
  const median = estimateMedian(recent.durations)
  const longest = slowest(recent)
  return renderTile({
    title: 'Latency',
    figure: html`${median === undefined ? '–' : formatLatency(median, bounds)}`,
    notes: [
      `${median === undefined ? 'no request' : 'median'} ${describePeriod(recent)}`,
      longest === undefined
        ? ''
        : `slowest ${formatBound(longest, bounds)}, ${describeWaiting(recent)}`,
    ],
    name: 'Latency of the slowest request',
    total,
    intervals,
    curves: [{ value: slowest, className: 'curve' }],
    format: (seconds) => `slowest ${formatBound(seconds, bounds)}`,
  })
}

/** Returns what explains a slow request: an exchange, or else the node or a CPU limit. */
function describeWaiting({ waited }: Interval): string {
  return `${waited === 0 ? 'none' : formatCount(waited)} waited for an exchange`
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
    format: (lowest) => `lowest ${formatPercent(lowest)}`,
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
  readonly curves: readonly {
    readonly value: Curve
    readonly className: string
  }[]
  /** The axis ends at 1, and the lowest value is named instead of the highest. */
  readonly isRatio?: boolean
  /** Formats the extreme. */
  readonly format: (value: number) => string
}

const WIDTH = 600
const HEIGHT = 48

function renderTile({ title, figure, notes, name, total, intervals, ...rest }: Tile): Html {
  const { curves, isRatio = false, format } = rest
  const values = intervals.flatMap((interval) => curves[0]?.value(interval) ?? [])
  const highest = Math.max(0, ...values)
  const hasExtreme = values.length > 0 && (isRatio || highest > 0)
  const extreme = format(isRatio ? Math.min(...values) : highest)
  const scale = isRatio ? 1 : Math.max(0, ...values.filter(Number.isFinite)) || 1
  const lines = curves
    .map((curve) => ({
      ...curve,
      line: drawSteps(intervals, curve.value, { end: total.at, scale }),
    }))
    .filter(({ line }) => line !== '')
  return html`<li class="card tile">
    <h3>${title}</h3>
    <p class="figure">${figure}</p>
    <p class="quiet small">${notes[0]}<br />${notes[1]}</p>
    <svg
      class="spark"
      role="img"
      aria-label="${name} in the last ten minutes${hasExtreme ? `: ${extreme}` : values.length === 0 ? ': no curve yet' : ': none'}"
      viewBox="0 -2 ${WIDTH} ${HEIGHT + 3}"
      preserveAspectRatio="none"
    >
      <path class="axis" d="M0 ${HEIGHT}H${WIDTH}" />
      ${lines.map(({ line, className }) => html`<path class="${className}" d="${line}" />`)}
    </svg>
    <p class="row small quiet">
      <span>10 min ago</span>
      ${hasExtreme ? html`<span>${extreme}</span>` : undefined}
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

/** Formats the bound of a bucket; the last bucket has none. */
function formatBound(bound: number, bounds: readonly number[]): string {
  if (bound === Infinity) return `> ${bounds.at(-1)} s`
  return `≤ ${bound < 1 ? `${bound * 1000} ms` : `${bound} s`}`
}

function formatPercent(ratio: number): string {
  return `${Math.floor(ratio * 100)} %`
}

/** Formats a whole number with commas for thousands. */
function formatCount(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ',')
}
