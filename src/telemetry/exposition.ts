/** Prometheus's text format, from numbers that are read when it asks (docs/decisions explains why not a library). */
import { METRICS, type MetricDefinition, type MetricName } from './metric-catalogue.ts'

/** One number of a metric. */
export interface Sample {
  /** Values of the metric's labels, in the order of the catalogue. */
  readonly labels: readonly string[]
  readonly value: number
}

/** What a histogram has counted for one set of labels. */
export interface HistogramSample {
  readonly labels: readonly string[]
  readonly upperBounds: readonly number[]
  /** Observations per bucket, not cumulative; one more than bounds, for those above the last. */
  readonly counts: readonly number[]
  readonly sum: number
}

type Read<Name extends MetricName> = (typeof METRICS)[Name]['type'] extends 'histogram'
  ? Iterable<HistogramSample>
  : Iterable<Sample>

/** How each metric of the catalogue is read. */
export type Readers = { readonly [Name in MetricName]: () => Read<Name> }

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** The exposition of all metrics that have a value. */
export function exposition(readers: Readers): string {
  return Object.entries(METRICS)
    .map(([name, definition]) => {
      const read = readers[name as MetricName] // oxlint-disable-line no-unsafe-type-assertion -- entries forgets its keys
      return metricText(name, definition, read())
    })
    .join('')
}

/** The exposition of one metric; empty when it has no value. */
export function metricText(
  name: string,
  { type, labels, help }: MetricDefinition,
  samples: Iterable<Sample | HistogramSample>,
): string {
  const lines = [...samples].flatMap((sample) => linesOf(name, labels, sample))
  if (lines.length === 0) return ''
  return `# HELP ${name} ${escapedHelp(help)}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`
}

function linesOf(
  name: string,
  names: readonly string[],
  sample: Sample | HistogramSample,
): string[] {
  const pairs = names.map((label, index) => pair(label, sample.labels[index] ?? ''))
  if ('value' in sample) return [line(name, pairs, sample.value)]
  let count = 0
  const buckets = sample.counts.map((inBucket, index) => {
    count += inBucket
    const bound = sample.upperBounds[index]
    return line(`${name}_bucket`, [...pairs, pair('le', bound?.toString() ?? '+Inf')], count)
  })
  return [...buckets, line(`${name}_sum`, pairs, sample.sum), line(`${name}_count`, pairs, count)]
}

function line(name: string, pairs: readonly string[], value: number): string {
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`
}

function pair(label: string, value: string): string {
  const escaped = value.replace(/[\\"\n]/g, (character) =>
    character === '\n' ? '\\n' : `\\${character}`,
  )
  return `${label}="${escaped}"`
}

function escapedHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}
