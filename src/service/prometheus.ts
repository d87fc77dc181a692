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
import { VERSION } from '../lib/version.ts'

export { Counter, Gauge, Histogram, Registry }

/** prom-client's default metrics that cost nothing between two scrapes, and read no file but `/proc/self/fd`. */
const PROCESS_METRICS = [cpuTotal, startTime, openFileDescriptors, heapSize]

/** Creates a registry that holds the metrics of the process, under prom-client's own names. */
export function createRegistry(): Registry {
  const registry = new Registry()
  for (const register of PROCESS_METRICS) register(registry)
  registerCollected(registry, [
    {
      // prom-client's own collector reads /proc/self/status, which Node's permissions deny in the image.
      name: 'process_resident_memory_bytes',
      type: 'gauge',
      help: 'Resident memory size in bytes.',
      collect: () => process.memoryUsage.rss(),
    },
    {
      // prom-client's own collector also starts a histogram that wakes the process 100 times a second.
      name: 'nodejs_eventloop_lag_seconds',
      type: 'gauge',
      help: 'Lag of event loop in seconds.',
      collect: async () => {
        const startedAt = performance.now()
        await setImmediate()
        return (performance.now() - startedAt) / 1000
      },
    },
  ])
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

export interface Sample {
  readonly labels: Readonly<Record<string, string | number | undefined>>
  readonly value: number
  /** Default: the name of the metric. */
  readonly metricName?: string
}

/** A metric whose value is read from another part of the program. */
export interface CollectedMetric {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labelNames?: readonly string[]
  /** Called at each scrape. Returns the samples, or the value of a metric without labels; undefined if the value is unknown. */
  readonly collect: () =>
    readonly Sample[] | number | undefined | Promise<readonly Sample[] | number>
}

/** Registers metrics that are read at each scrape, in this order. */
export function registerCollected(registry: Registry, metrics: readonly CollectedMetric[]): void {
  for (const { collect, labelNames = [], ...metric } of metrics) {
    const get = async () => {
      const collected = await collect()
      const values = typeof collected === 'number' ? [{ labels: {}, value: collected }] : collected
      return { ...metric, values: values ?? [] }
    }
    registry.registerMetric({ ...metric, labelNames, get })
  }
}

/** Returns a sample for each value of a label. */
export function toSamples(label: string, values: Iterable<readonly [string, number]>): Sample[] {
  return [...values].map(([name, value]) => ({ labels: { [label]: name }, value }))
}

export function toUnixTime(ms: number): number {
  return Math.round(ms / 1000)
}
