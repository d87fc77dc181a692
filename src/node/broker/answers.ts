/** Creates the broker's answers to the questions of the agent. */
import { createHash } from 'node:crypto'
import type { Registry, Sample } from '../../service/prometheus.ts'
import { type KeysAnswer, type MetricsAnswer, type Question, selectKeys } from './messages.ts'
import { listKeys } from './fetch-tokens.ts'
import { createWorkloadKey, type Workload } from './workload.ts'
import type { Workloads } from './workloads.ts'

type MetricSample = MetricsAnswer[number]['samples'][number]

/** Returns the answer, which the agent parses. */
export async function createAnswer(question: Question, workloads: Workloads): Promise<object> {
  if (question.about === 'ping') return {}
  if (question.about === 'pod') return workloads.find(question.uid)?.document() ?? {}
  if (question.about === 'keys') return workloads.all().flatMap(describeKeys)
  return (await Promise.all(workloads.all().map(readGroup))).flat()
}

function describeKeys({ pods, broker }: Workload): KeysAnswer {
  const keys = selectKeys(broker === undefined ? [] : listKeys(broker))
  return keys.length === 0 ? [] : [{ uids: [...pods.keys()], keys }]
}

/** Returns the metrics of a workload; an empty list before it serves a pod. */
async function readGroup({ pods, broker }: Workload): Promise<MetricsAnswer> {
  const [served] = pods.values()
  if (served === undefined || broker === undefined) return []
  const digest = createHash('sha256').update(createWorkloadKey(served.pod)).digest('hex')
  const samples = await readSamples(broker.telemetry.registry)
  return [{ uid: served.pod.uid, settings: digest.slice(0, 8), samples }]
}

/** Reads the metrics of the registry. The agent drops the metrics of the process. */
async function readSamples(registry: Registry): Promise<MetricSample[]> {
  const metrics = registry.getMetricsAsArray().filter(({ name }) => name.startsWith('wimds_'))
  const read = await Promise.all(metrics.map((metric) => metric.get()))
  return read.flatMap(({ name, values }) => values.map((sample: Sample) => toTuple(name, sample)))
}

function toTuple(name: string, { metricName = name, labels, value }: Sample): MetricSample {
  const texts = Object.entries(labels).map(([label, text]) => [label, String(text)])
  return [metricName, Object.fromEntries(texts), value]
}
