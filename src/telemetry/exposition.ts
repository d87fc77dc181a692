/** Prometheus's text format, which prom-client writes of numbers that are read when it asks (docs/decisions/0004). */
import type { Metric } from 'prom-client'
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

/** A metric, and how it is read. */
interface ReadableMetric extends MetricDefinition {
  readonly name: string
  readonly read: () => Iterable<Sample | HistogramSample>
}

/** What Prometheus is answered. */
export interface Exposition {
  readonly contentType: string
  readonly body: string
}

/** The exposition of the catalogue's metrics that have a value. */
export function exposition(readers: Readers): Promise<Exposition> {
  return expositionOf(
    Object.entries(METRICS).map(([name, definition]) => {
      const read = readers[name as MetricName] // oxlint-disable-line no-unsafe-type-assertion -- entries forgets its keys
      return { name, ...definition, read }
    }),
  )
}

/** The exposition of those of the metrics that have a value, all read at one moment. */
export async function expositionOf(metrics: readonly ReadableMetric[]): Promise<Exposition> {
  // Loaded when somebody scrapes: a sidecar that nobody scrapes does without it.
  const { default: promClient } = await import('prom-client')
  const registry = new promClient.Registry()
  for (const { name, help, type, labels, read } of metrics) {
    const values = [...read()].flatMap((sample) => seriesOf(name, labels, sample))
    if (values.length === 0) continue
    const metric = { name, help, type, get: () => ({ name, help, type, values }) }
    // oxlint-disable-next-line no-unsafe-type-assertion -- declared for its own classes, which keep a hash per count; to write, it calls `get` alone
    registry.registerMetric(metric as unknown as Metric)
  }
  return { contentType: registry.contentType, body: await registry.metrics() }
}

/** One line of the exposition, as prom-client's registry takes it. */
interface Series {
  readonly metricName: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

function seriesOf(
  name: string,
  names: readonly string[],
  sample: Sample | HistogramSample,
): Series[] {
  const labels = Object.fromEntries(
    names.map((label, index) => [label, sample.labels[index] ?? '']),
  )
  if ('value' in sample) return [{ metricName: name, labels, value: sample.value }]
  let count = 0
  const buckets = sample.counts.map((inBucket, index) => {
    count += inBucket
    const le = sample.upperBounds[index]?.toString() ?? '+Inf'
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count }
  })
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sample.sum },
    { metricName: `${name}_count`, labels, value: count },
  ]
}
