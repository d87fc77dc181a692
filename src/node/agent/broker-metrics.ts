/** The metrics of the brokers. Takes from what a broker sends only the known metrics with their labels. */
import { createMetrics } from '../../broker/telemetry/metrics.ts'
import { Registry, type Sample } from '../../service/prometheus.ts'
import { systemClock } from '../../broker/tokens/lifetime.ts'
import { MetricsAnswer } from '../broker/messages.ts'
import type { BrokerList } from './namespace-broker.ts'

type Metric = ReturnType<typeof describeMetrics>[number]

/** The samples of a known metric, which the brokers send. */
interface Family {
  readonly metric: Metric
  readonly values: Sample[]
}

/** The most samples of one broker in a scrape; further ones are left out. */
const MAX_SAMPLES = 20_000
const MAX_LABEL_CHARS = 256
const SETTINGS = /^[0-9a-f]{8}$/
/** The samples of a histogram. */
const OF_HISTOGRAM = /_(?:bucket|sum|count)$/
/** The agent has its own, of the same version. */
const BUILD_INFO = 'wimds_build_info'

/** Creates the function that reads the agent's own metrics, and those of all brokers. */
export function createNodeScrape(own: Registry, brokers: BrokerList) {
  const known = describeMetrics()
  return async (): Promise<string> => {
    const families = new Map<string, Family>(
      known.map((metric) => [metric.name, { metric, values: [] }]),
    )
    await Promise.all(brokers.all().map((broker) => addSamples(families, broker)))
    const registry = new Registry()
    for (const metric of own.getMetricsAsArray()) {
      const family = families.get(metric.name)
      if (family === undefined) registry.registerMetric(metric)
      else family.values.push(...(await metric.get()).values)
    }
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
    readiness: () => ({ ready: false, reasons: [] }),
    entries: () => [],
    assertions: () => new Map(),
    clients: () => [],
    skewMs: () => undefined,
  }
  const { registry } = createMetrics(state, new Map())
  return registry
    .getMetricsAsArray()
    .filter(({ name }) => name.startsWith('wimds_') && name !== BUILD_INFO)
}

async function addSamples(
  families: ReadonlyMap<string, Family>,
  broker: ReturnType<BrokerList['all']>[number],
) {
  const { data: groups = [] } = MetricsAnswer.safeParse(await broker.ask({ about: 'metrics' }))
  const seen = new Set<string>()
  // Once: an answer may have many groups, and a broker finds its pods among all of the node.
  const pods = new Map(broker.pods.map((pod) => [pod.uid, pod]))
  for (const { uid, settings, samples } of groups) {
    const pod = pods.get(uid)
    if (pod === undefined || !SETTINGS.test(settings)) continue
    const own = { namespace: pod.namespace, service_account: pod.serviceAccount, settings }
    for (const [metricName, labels, value] of samples) {
      const family = families.get(metricName) ?? families.get(metricName.replace(OF_HISTOGRAM, ''))
      if (family === undefined || !areLabelsOf(family.metric, labels)) continue
      const values = [...family.metric.labelNames, 'le'].map((name) => labels[name])
      const key = JSON.stringify([metricName, settings, values])
      // Prometheus takes no scrape in which a series is twice.
      if (seen.has(key) || seen.size === MAX_SAMPLES) continue
      seen.add(key)
      family.values.push({ metricName, labels: { ...labels, ...own }, value })
    }
  }
}

function areLabelsOf({ type, labelNames }: Metric, labels: Readonly<Record<string, string>>) {
  return Object.entries(labels).every(
    ([name, value]) =>
      (labelNames.includes(name) || (String(type) === 'histogram' && name === 'le')) &&
      value.length <= MAX_LABEL_CHARS,
  )
}
