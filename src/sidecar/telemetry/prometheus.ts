/** Prometheus metrics by prom-client: a registry for each process, with the metrics of the process itself. */
import { setImmediate } from 'node:timers/promises'
import Counter from 'prom-client/lib/counter.js'
import Gauge from 'prom-client/lib/gauge.js'
import Histogram from 'prom-client/lib/histogram.js'
import heapSize from 'prom-client/lib/metrics/heapSizeAndUsed.js'
import cpuTotal from 'prom-client/lib/metrics/processCpuTotal.js'
import openFileDescriptors from 'prom-client/lib/metrics/processOpenFileDescriptors.js'
import startTime from 'prom-client/lib/metrics/processStartTime.js'
import Registry from 'prom-client/lib/registry.js'
import { VERSION } from '../../lib/version.ts'

export { Counter, Gauge, Histogram, type Registry }

/** The reply to `GET /metrics`. */
export interface Exposition {
  readonly contentType: string
  readonly body: string
}

/** prom-client's default metrics that cost nothing between two scrapes and read `/proc/self/fd` at most. */
const PROCESS_METRICS = [cpuTotal, startTime, openFileDescriptors, heapSize]

/** Creates a registry that holds the metrics of the process, under prom-client's own names. */
export function createRegistry(): Registry {
  const registry = new Registry()
  for (const register of PROCESS_METRICS) register(registry)
  // prom-client's own collector reads /proc/self/status, which Node's permissions deny in the image.
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory size in bytes.',
    registers: [registry],
    collect() {
      this.set(process.memoryUsage.rss())
    },
  })
  // prom-client's own collector also starts a histogram that wakes the process 100 times a second.
  new Gauge({
    name: 'nodejs_eventloop_lag_seconds',
    help: 'Lag of event loop in seconds.',
    registers: [registry],
    async collect() {
      const startedAt = performance.now()
      await setImmediate()
      this.set((performance.now() - startedAt) / 1000)
    },
  })
  return registry
}

/** Registers the metric whose labels say which version runs. */
export function registerBuildInfo(registry: Registry, name: string): void {
  new Gauge({
    name,
    help: 'Always 1; the labels say which version runs on which Node.js.',
    labelNames: ['version', 'node'],
    registers: [registry],
  }).set({ version: VERSION, node: process.version }, 1)
}

/** A series of a histogram that is counted elsewhere. */
export interface HistogramSeries {
  readonly labels: Readonly<Record<string, string>>
  /** `counts[i]` values were at most the bound `i` and more than the bound before it; the last count has no bound. */
  readonly counts: readonly number[]
  readonly sum: number
}

interface CollectedHistogram {
  readonly name: string
  readonly help: string
  readonly bounds: readonly number[]
  /** Called at each scrape. */
  readonly collect: () => readonly HistogramSeries[]
}

/**
 * Registers a histogram that is counted elsewhere. It is for values that come with each request: prom-client's own
 * makes a string of the labels for every value (docs/decisions/0038).
 */
export function registerHistogram(registry: Registry, histogram: CollectedHistogram): void {
  const { name, help, bounds, collect } = histogram
  const formatSeries = ({ labels, counts, sum }: HistogramSeries) => {
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
  registry.registerMetric({
    name,
    get: async () => ({ name, help, type: 'histogram', values: collect().flatMap(formatSeries) }),
  })
}

/** Returns the metrics of the registry in Prometheus's text format. */
export async function scrapeRegistry(registry: Registry): Promise<Exposition> {
  return { contentType: registry.contentType, body: await registry.metrics() }
}
