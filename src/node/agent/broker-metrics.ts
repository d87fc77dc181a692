/** The metrics of the brokers. What a broker sends is taken as far as it is a metric of a broker, with its labels. */
import { createTelemetry } from '../../broker/telemetry/telemetry.ts'
import type { ProcessLog } from '../../broker/telemetry/logger.ts'
import { Registry, type Sample } from '../../broker/telemetry/prometheus.ts'
import { systemClock } from '../../broker/tokens/lifetime.ts'
import { MetricsAnswer } from '../broker/messages.ts'
import type { BrokerList } from './namespace-broker.ts'

interface Family {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly labelNames: ReadonlySet<string>
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

interface NodeMetrics {
  /** The agent's own metrics. */
  readonly own: Registry
  readonly brokers: BrokerList
  readonly log: ProcessLog
}

/** Creates the function that reads the metrics of the agent and of all brokers. */
export function createNodeScrape({ own, brokers, log }: NodeMetrics) {
  let known: Promise<readonly Omit<Family, 'values'>[]> | undefined
  return async (): Promise<string> => {
    known ??= describeMetrics(log)
    const families = new Map<string, Family>()
    for (const family of await known) families.set(family.name, { ...family, values: [] })
    await Promise.all(brokers.all().map((broker) => addSamples(families, broker)))
    const registry = new Registry()
    for (const { name } of own.getMetricsAsArray()) {
      const metric = own.getSingleMetric(name)
      const family = families.get(name)
      if (metric === undefined) continue
      if (family === undefined) registry.registerMetric(metric)
      else family.values.push(...(await metric.get()).values)
    }
    for (const { name, labelNames, ...family } of families.values()) {
      if (family.values.length === 0) continue
      const get = async () => ({ name, ...family })
      registry.registerMetric({ name, labelNames: [...labelNames], get })
    }
    return registry.metrics()
  }
}

/** Returns the metrics that a broker has, without values. */
async function describeMetrics(log: ProcessLog): Promise<Omit<Family, 'values'>[]> {
  const { registry } = createTelemetry({
    config: () => ({ directory: { identities: [] }, warnings: [], isInPod: true }),
    log,
    clock: systemClock,
    entries: () => [],
    assertions: () => new Map(),
    readyAfterPrefetch: false,
  })
  const metrics = registry
    .getMetricsAsArray()
    .filter(({ name }) => name.startsWith('wimds_') && name !== BUILD_INFO)
    .map(async ({ name }) => {
      const metric = registry.getSingleMetric(name)
      const labelNames: unknown = metric && Reflect.get(metric, 'labelNames')
      const names = Array.isArray(labelNames) ? labelNames.map(String) : []
      const { help = '', type = 'gauge' } = (await metric?.get()) ?? {}
      return { name, help, type: String(type), labelNames: new Set(names) }
    })
  return Promise.all(metrics)
}

async function addSamples(
  families: ReadonlyMap<string, Family>,
  broker: ReturnType<BrokerList['all']>[number],
) {
  const { data: groups = [] } = MetricsAnswer.safeParse(await broker.ask({ about: 'metrics' }))
  const seen = new Set<string>()
  for (const { uid, settings, samples } of groups) {
    const pod = broker.pods.find((each) => each.uid === uid)
    if (pod === undefined || !SETTINGS.test(settings)) continue
    const own = { namespace: pod.namespace, service_account: pod.serviceAccount, settings }
    for (const [metricName, labels, value] of samples) {
      const family = families.get(metricName) ?? families.get(metricName.replace(OF_HISTOGRAM, ''))
      if (family === undefined || !areLabelsOf(family, labels)) continue
      const values = [...family.labelNames, 'le'].map((name) => labels[name])
      const key = JSON.stringify([metricName, settings, values])
      // Prometheus takes no scrape in which a series is twice.
      if (seen.has(key) || seen.size === MAX_SAMPLES) continue
      seen.add(key)
      family.values.push({ metricName, labels: { ...labels, ...own }, value })
    }
  }
}

function areLabelsOf({ type, labelNames }: Family, labels: Readonly<Record<string, string>>) {
  return Object.entries(labels).every(
    ([name, value]) =>
      (labelNames.has(name) || (type === 'histogram' && name === 'le')) &&
      value.length <= MAX_LABEL_CHARS,
  )
}
