/** The status of all pods of the node, the worst first. */
import { formatProblem } from '../../lib/errors.ts'
import { VERSION } from '../../lib/version.ts'
import type { StatusDocument } from '../../broker/telemetry/status-schema.ts'
import { formatPod, type WaitingPod } from './messages.ts'
import type { Workload } from './workload.ts'
import type { Workloads } from './workloads.ts'

/** From the worst to the best. */
const STATES = ['waiting', 'invalid', 'failing', 'starting', 'degraded', 'ready'] as const

/**
 * `waiting`: the agent cannot route it. `invalid`: not served, since its settings are invalid. A sidecar has the
 * others, too.
 */
type PodState = (typeof STATES)[number]

export interface PodStatus {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly serviceAccount: string
  readonly state: PodState
  /** The first problem, with its fix if it has one. */
  readonly problem?: string | undefined
  readonly cachedTokens: number
}

export interface NodeStatus {
  /** Increases when a field is removed or changes its meaning, not when one is added. */
  readonly schemaVersion: 1
  readonly generatedAt: string
  readonly node: string
  readonly build: { readonly version: string; readonly node: string }
  readonly pods: readonly PodStatus[]
}

/** Creates the document of `/status.json`. */
export function createNodeStatus(node: string, workloads: Workloads): NodeStatus {
  return {
    schemaVersion: 1,
    generatedAt: new Date().toISOString(),
    node,
    build: { version: VERSION, node: process.version },
    pods: [
      ...workloads.waiting().map(describeWaiting),
      ...workloads.all().flatMap(describePods),
    ].toSorted(compare),
  }
}

/** Returns how many pods there are in each state. */
export function countPods(workloads: Workloads): Map<PodState, number> {
  const counts = new Map<PodState, number>(STATES.map((state) => [state, 0]))
  counts.set('waiting', workloads.waiting().length)
  for (const workload of workloads.all()) {
    const unserved = workload.problem === undefined ? 'starting' : 'invalid'
    const state = workload.broker?.telemetry.state() ?? unserved
    counts.set(state, (counts.get(state) ?? 0) + workload.pods.length)
  }
  return counts
}

function describeWaiting({ pod, problem }: WaitingPod): PodStatus {
  const { namespace, name, uid, serviceAccount } = pod
  return { namespace, name, uid, serviceAccount, state: 'waiting', problem, cachedTokens: 0 }
}

function describePods(workload: Workload): PodStatus[] {
  const state = describeWorkload(workload)
  return workload.pods.map(({ namespace, name, uid, serviceAccount }) => ({
    namespace,
    name,
    uid,
    serviceAccount,
    ...state,
  }))
}

function describeWorkload(
  workload: Workload,
): Pick<PodStatus, 'state' | 'problem' | 'cachedTokens'> {
  const document = workload.document()
  if (document === undefined) {
    const { problem } = workload
    if (problem === undefined) return { state: 'starting', cachedTokens: 0 }
    return { state: 'invalid', problem: formatProblem(problem), cachedTokens: 0 }
  }
  return {
    state: document.state,
    problem: describeProblem(document),
    cachedTokens: document.tokens.filter(({ cached }) => cached !== undefined).length,
  }
}

function describeProblem({ problems: [first] }: StatusDocument): string | undefined {
  return first && formatProblem({ problem: first.summary, fix: first.failure?.fix })
}

function compare(a: PodStatus, b: PodStatus): number {
  const order = STATES.indexOf(a.state) - STATES.indexOf(b.state)
  return order || formatPod(a).localeCompare(formatPod(b))
}
