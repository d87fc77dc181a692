/** The metrics of the brokers. Of the samples that a broker sends, the agent takes only known metrics with known labels. */
import { createHash } from 'node:crypto'
import { PROTOCOLS } from '../../broker/dialects/dialect.ts'
import { CLIENT_LIBRARIES } from '../../broker/telemetry/clients.ts'
import { createMetrics } from '../../broker/telemetry/metrics.ts'
import { Registry, type Sample } from '../../service/prometheus.ts'
import { OUTCOMES } from '../../broker/telemetry/replies.ts'
import { CACHE_RESULTS } from '../../broker/tokens/token.ts'
import { ERROR_KINDS } from '../../lib/errors.ts'
import { systemClock } from '../../broker/tokens/lifetime.ts'
import { MetricsAnswer } from '../broker/messages.ts'
import type { BrokerList } from './namespace-broker.ts'

type Metric = ReturnType<typeof describeMetrics>[number]
type Broker = ReturnType<BrokerList['all']>[number]

/** A known metric, with the samples that the brokers have sent. */
interface Family {
  readonly metric: Metric
  readonly values: Sample[]
}

/** The maximum number of series of one namespace's broker, in all scrapes together. The agent drops further series. */
const MAX_SERIES = 5000
const MAX_LABEL_CHARS = 256
/** The allowed values of labels, where there is a closed set. */
const VALUES: Readonly<Record<string, ReadonlySet<string>>> = {
  client: new Set([...CLIENT_LIBRARIES.map(([id]) => id), 'none', 'other']),
  code: new Set(['ok', ...Object.keys(ERROR_KINDS)]),
  outcome: new Set(['failure', ...OUTCOMES]),
  protocol: new Set(PROTOCOLS),
  result: new Set(CACHE_RESULTS),
}
const SETTINGS = /^[0-9a-f]{8}$/
/** The suffixes of the names of a histogram's samples. */
const OF_HISTOGRAM = /_(?:bucket|sum|count)$/
/** The metrics that describe a process. The agent has such metrics of its own. */
const OF_PROCESS: ReadonlySet<string> = new Set([
  'wimds_build_info',
  'wimds_log_lines_dropped_total',
])

/** Creates a function that returns the metrics of the agent and of all brokers, in the text format of Prometheus. */
export function createNodeScrape(own: Registry, brokers: BrokerList) {
  const known = describeMetrics()
  const seriesOf = new WeakMap<Broker, Set<string>>()
  return async (): Promise<string> => {
    const families = new Map<string, Family>(
      known.map((metric) => [metric.name, { metric, values: [] }]),
    )
    await Promise.all(
      brokers.all().map((broker) => {
        const series = seriesOf.get(broker) ?? new Set()
        seriesOf.set(broker, series)
        return addSamples(families, broker, series)
      }),
    )
    const registry = new Registry()
    for (const metric of own.getMetricsAsArray()) registry.registerMetric(metric)
    for (const { metric, values } of families.values()) {
      if (values.length === 0) continue
      const { name, help, type, labelNames } = metric
      const get = async () => ({ name, help, type: String(type), values })
      registry.registerMetric({ name, help, labelNames, get })
    }
    return registry.metrics()
  }
}

/** Returns the metrics that a broker has. Nothing is counted in them: the agent needs their names and labels. */
function describeMetrics() {
  const state = {
    clock: systemClock,
    config: () => ({ directory: { identities: [] }, warnings: [], isInPod: true }),
    reloadProblem: () => undefined,
    isReady: () => false,
    entries: () => [],
    assertions: () => new Map(),
    clients: () => [],
    skewMs: () => undefined,
  }
  const { registry } = createMetrics(state, new Map())
  return registry
    .getMetricsAsArray()
    .filter(({ name }) => name.startsWith('wimds_') && !OF_PROCESS.has(name))
}

async function addSamples(
  families: ReadonlyMap<string, Family>,
  broker: Broker,
  series: Set<string>,
) {
  const { data: groups = [] } = MetricsAnswer.safeParse(await broker.ask({ about: 'metrics' }))
  const seen = new Set<string>()
  // Built once, since an answer may have many groups.
  const pods = new Map(broker.pods.map((pod) => [pod.uid, pod]))
  for (const { uid, settings, samples } of groups) {
    const pod = pods.get(uid)
    if (pod === undefined || !SETTINGS.test(settings)) continue
    const own = { namespace: pod.namespace, service_account: pod.serviceAccount, settings }
    for (const [metricName, labels, value] of samples) {
      const family = families.get(metricName) ?? families.get(metricName.replace(OF_HISTOGRAM, ''))
      if (family === undefined || !areLabelsOf(family.metric, labels)) continue
      const values = [...family.metric.labelNames, 'le'].map((name) => labels[name])
      const text = JSON.stringify([metricName, pod.serviceAccount, settings, values])
      const key = createHash('sha256').update(text).digest('base64').slice(0, 16)
      // Prometheus rejects a scrape with a duplicate series.
      if (seen.has(key) || (series.size >= MAX_SERIES && !series.has(key))) continue
      seen.add(key)
      series.add(key)
      family.values.push({ metricName, labels: { ...labels, ...own }, value })
    }
  }
}

function areLabelsOf(metric: Metric, labels: Readonly<Record<string, string>>) {
  return Object.entries(labels).every(([name, value]) => {
    if (name === 'le') return findBounds(metric).includes(value)
    const isKnown = VALUES[name]?.has(value) ?? value.length <= MAX_LABEL_CHARS
    return metric.labelNames.includes(name) && isKnown
  })
}

/** Returns the bucket bounds of a histogram. The types of prom-client do not declare them. */
function findBounds(metric: Metric): string[] {
  const bounds: unknown = Reflect.get(metric, 'upperBounds')
  return Array.isArray(bounds) ? [...bounds.map(String), '+Inf'] : []
}
