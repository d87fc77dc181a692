/** The metrics of the broker, and of the sidecars that it replaces by namespace and service account. */
import {
  createRegistry,
  type Exposition,
  registerBuildInfo,
  registerCollected,
  Registry,
  type Sample,
  scrapeRegistry,
  toSamples,
} from '../../broker/telemetry/prometheus.ts'
import { describeDroppedLines, REPEATING_EVENTS } from '../../broker/telemetry/state-metrics.ts'

/** A metric with the samples that it has now. */
interface ReadMetric {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly values: readonly Sample[]
}

/** A workload, which has metrics of its own. */
interface Source {
  readonly namespace: string
  readonly serviceAccount: string
  /** Undefined: it has answered nothing yet. */
  readonly registry: Registry | undefined
}

/** Service accounts that have series of their own; the others are summed. */
const MAX_ACCOUNTS = 100
const OTHER = 'other'
/** The metrics that the process has once. */
const OF_PROCESS: ReadonlySet<string> = new Set([
  'wimds_build_info',
  'wimds_log_lines_dropped_total',
])

type Labels = Readonly<Record<string, string>>

/** Combines the metrics of workloads into one series for each service account. */
export class WorkloadMetrics {
  /** The labels of each service account that has workloads. */
  readonly #labels = new Map<string, Labels>()
  /** The workloads that have ended and whose counts are still being read. */
  readonly #ending = new Set<Source>()
  /** The counts of ended workloads, by the JSON of the labels: no counter may decrease. */
  readonly #past = new Map<string, ReadMetric[]>()

  /** Reads the metrics of these workloads. */
  async read(sources: readonly Source[]): Promise<ReadMetric[]> {
    const groups = new Map([...this.#past].map(([key, metrics]) => [key, [metrics]]))
    for (const source of [...sources, ...this.#ending]) {
      const key = JSON.stringify(this.#findLabels(source))
      const metrics = await readSource(source)
      groups.set(key, [...(groups.get(key) ?? []), metrics])
    }
    const labelled = [...groups].map(([key, all]) => addLabels(combine(all), JSON.parse(key)))
    return mergeByName(labelled.flat())
  }

  /** Keeps the counts of a workload that has ended; `others` go on. */
  async onEnd(source: Source, others: readonly Source[]): Promise<void> {
    this.#ending.add(source)
    const labels = this.#findLabels(source)
    const key = JSON.stringify(labels)
    const counts = (await readSource(source)).filter(({ type }) => type !== 'gauge')
    this.#ending.delete(source)
    const account = formatAccount(source)
    const isLast = ![...others, ...this.#ending].some((each) => formatAccount(each) === account)
    if (isLast) this.#labels.delete(account)
    if (isLast && labels['namespace'] !== OTHER) this.#past.delete(key)
    else this.#past.set(key, combine([this.#past.get(key) ?? [], counts]))
  }

  /** Returns the labels of a service account, which it keeps while it has workloads. */
  #findLabels(source: Source): Labels {
    const account = formatAccount(source)
    const { namespace, serviceAccount } = source
    const labelled = [...this.#labels.values()].filter((each) => each['namespace'] !== OTHER)
    const labels =
      this.#labels.get(account) ??
      (labelled.length < MAX_ACCOUNTS
        ? { namespace, service_account: serviceAccount }
        : { namespace: OTHER, service_account: OTHER })
    this.#labels.set(account, labels)
    return labels
  }
}

const formatAccount = ({ namespace, serviceAccount }: Source) => `${namespace}/${serviceAccount}`

/** Reads the metrics of a workload, without the series that have counted nothing: a node has many workloads. */
async function readSource({ registry }: Source): Promise<ReadMetric[]> {
  if (registry === undefined) return []
  const metrics = await readMetrics(registry)
  return metrics.filter(({ name }) => !OF_PROCESS.has(name)).map(omitZeros)
}

function omitZeros(metric: ReadMetric): ReadMetric {
  if (metric.type === 'gauge') return metric
  const totals = metric.values.filter(({ labels, value }) => !('le' in labels) && value !== 0)
  const counted = new Set(totals.map(formatSeries))
  return { ...metric, values: metric.values.filter((sample) => counted.has(formatSeries(sample))) }
}

/** Identifies a series; the buckets of a histogram are part of one. */
function formatSeries({ labels }: Sample): string {
  return JSON.stringify({ ...labels, le: undefined })
}

/** Chooses how samples of several workloads become one: counts are summed, and the worst gauge is kept. */
function chooseCombination({ name, type }: ReadMetric): (a: number, b: number) => number {
  if (type !== 'gauge' || name.startsWith('wimds_tokens_')) return (a, b) => a + b
  return /_(?:failures|last_seen_timestamp_seconds|skew_seconds)$/.test(name) ? Math.max : Math.min
}

/** Combines metrics of several workloads, sample by sample. */
function combine(all: readonly (readonly ReadMetric[])[]): ReadMetric[] {
  const [first, ...others] = all
  if (first === undefined || others.length === 0) return [...(first ?? [])]
  return mergeByName(all.flat()).map((metric) => {
    const combineValues = chooseCombination(metric)
    const samples = new Map<string, Sample>()
    for (const sample of metric.values) {
      const key = JSON.stringify([sample.metricName, sample.labels])
      const earlier = samples.get(key)
      const value = earlier ? combineValues(earlier.value, sample.value) : sample.value
      samples.set(key, { ...sample, value })
    }
    return { ...metric, values: [...samples.values()] }
  })
}

/** Joins the samples of metrics with the same name, which Prometheus's text format has together. */
function mergeByName(metrics: readonly ReadMetric[]): ReadMetric[] {
  return [...Map.groupBy(metrics, ({ name }) => name).values()].flatMap(([first, ...others]) =>
    first === undefined
      ? []
      : { ...first, values: [first, ...others].flatMap(({ values }) => values) },
  )
}

function addLabels(metrics: readonly ReadMetric[], labels: Labels): ReadMetric[] {
  return metrics.map((metric) => ({
    ...metric,
    values: metric.values.map((sample) => ({ ...sample, labels: { ...labels, ...sample.labels } })),
  }))
}

/** Reads the metrics of the registry, without the metrics of Node. */
async function readMetrics(registry: Registry): Promise<ReadMetric[]> {
  const metrics = registry
    .getMetricsAsArray()
    .filter(({ name }) => name.startsWith('wimds_'))
    .flatMap(({ name }) => registry.getSingleMetric(name) ?? [])
  const read = await Promise.all(metrics.map((metric) => metric.get()))
  return read.map(({ name, help, type, values }) => ({ name, help, type: String(type), values }))
}

/** Formats metrics that have been read in Prometheus's text format. */
export async function formatMetrics(metrics: readonly ReadMetric[]): Promise<string> {
  const registry = new Registry()
  for (const metric of metrics) {
    registry.registerMetric({ name: metric.name, labelNames: [], get: async () => metric })
  }
  return registry.metrics()
}

/** The sources of the broker's own metrics. */
interface BrokerState {
  /** Pods by state. */
  readonly countPods: () => Iterable<readonly [string, number]>
  readonly sources: () => readonly Source[]
  /** Log lines dropped since the start, by event. */
  readonly droppedLines: ReadonlyMap<string, number>
}

/** Creates the function that answers `GET /metrics`. */
export function createBrokerMetrics(state: BrokerState, workloads: WorkloadMetrics) {
  const registry = createRegistry()
  registerCollected(registry, [
    {
      name: 'wimds_node_broker_pods',
      type: 'gauge',
      help: 'Pods of mode node on this node by the state of their status page; waiting and invalid are not served.',
      labelNames: ['state'],
      collect: () => toSamples('state', state.countPods()),
    },
    {
      name: 'wimds_node_broker_workloads',
      type: 'gauge',
      help: 'Groups of pods with the same service account and settings, which share tokens.',
      collect: () => state.sources().length,
    },
    describeDroppedLines(state.droppedLines, REPEATING_EVENTS),
  ])
  registerBuildInfo(registry, 'wimds_build_info')
  const scrape = async (): Promise<Exposition> => {
    const { contentType, body } = await scrapeRegistry(registry)
    const ofWorkloads = await formatMetrics(await workloads.read(state.sources()))
    return { contentType, body: `${body}${ofWorkloads}` }
  }
  return { registry, scrape }
}
