/** What the broker answers to the questions of the agent. */
import { createHash } from 'node:crypto'
import type { Registry, Sample } from '../../service/prometheus.ts'
import { describeDroppedLines, REPEATING_EVENTS } from '../../broker/telemetry/state-metrics.ts'
import { formatProblem } from '../../lib/errors.ts'
import {
  type KeysAnswer,
  type MetricsAnswer,
  type PodsAnswer,
  type Question,
  selectKeys,
} from './messages.ts'
import { listKeys } from './fetch-tokens.ts'
import { createWorkloadKey, type Workload } from './workload.ts'
import type { Workloads } from './workloads.ts'

type MetricSample = MetricsAnswer[number]['samples'][number]

const OF_PROCESS: ReadonlySet<string> = new Set([
  'wimds_build_info',
  'wimds_log_lines_dropped_total',
])

/** Returns the answer, which the agent parses. `dropped`: log lines of the process, by event. */
export async function createAnswer(
  question: Question,
  workloads: Workloads,
  dropped: ReadonlyMap<string, number>,
): Promise<object> {
  if (question.about === 'ping') return {}
  if (question.about === 'pod') return workloads.find(question.uid)?.document() ?? {}
  if (question.about === 'pods') return workloads.all().flatMap(describePods)
  if (question.about === 'keys') return workloads.all().flatMap(describeKeys)
  const [first, ...others] = (await Promise.all(workloads.all().map(readGroup))).flat()
  if (first === undefined) return []
  // These metrics are of the process, whose pods share one log.
  const { name, collect } = describeDroppedLines(dropped, REPEATING_EVENTS)
  const lines = await collect()
  const ofLog = Array.isArray(lines) ? lines.map((sample) => toTuple(name, sample)) : []
  return [{ ...first, samples: [...first.samples, ...ofLog] }, ...others]
}

function describePods(workload: Workload): PodsAnswer {
  const state = describeState(workload)
  return [...workload.pods.keys()].map((uid) => ({ uid, ...state }))
}

function describeKeys({ pods, broker }: Workload): KeysAnswer {
  const keys = selectKeys(broker === undefined ? [] : listKeys(broker))
  return keys.length === 0 ? [] : [{ uids: [...pods.keys()], keys }]
}

function describeState({ broker, problem }: Workload): Omit<PodsAnswer[number], 'uid'> {
  if (broker === undefined) {
    return problem ? { state: 'invalid', problem: formatProblem(problem) } : { state: 'starting' }
  }
  const { state, problems } = broker.telemetry.summarize()
  const cachedTokens = broker.entries().filter(({ token }) => token !== undefined).length
  const [first] = problems
  if (first === undefined) return { state, cachedTokens }
  const text = formatProblem({ problem: first.summary, fix: first.failure?.fix })
  return { state, cachedTokens, problem: text }
}

/** Returns the metrics of a workload, unless it has answered nothing yet. */
async function readGroup({ pods, broker }: Workload): Promise<MetricsAnswer> {
  const [served] = pods.values()
  if (served === undefined || broker === undefined) return []
  const digest = createHash('sha256').update(createWorkloadKey(served.pod)).digest('hex')
  const samples = await readSamples(broker.telemetry.registry)
  return [{ uid: served.pod.uid, settings: digest.slice(0, 8), samples }]
}

/** Reads the metrics of the registry, without those of the process. */
async function readSamples(registry: Registry): Promise<MetricsAnswer[number]['samples']> {
  const metrics = registry
    .getMetricsAsArray()
    .filter(({ name }) => name.startsWith('wimds_') && !OF_PROCESS.has(name))
  const read = await Promise.all(metrics.map((metric) => metric.get()))
  return read.flatMap(({ name, values }) => values.map((sample: Sample) => toTuple(name, sample)))
}

function toTuple(name: string, { metricName = name, labels, value }: Sample): MetricSample {
  const texts = Object.entries(labels).map(([label, text]) => [label, String(text)])
  return [metricName, Object.fromEntries(texts), value]
}
