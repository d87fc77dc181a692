/** The status of all pods of the node, the worst first, with what their brokers say of them. */
import { errorMessage } from '../../lib/describe-error.ts'
import { toLine } from '../../lib/printable.ts'
import { scrubAndTruncate } from '../../lib/secret.ts'
import { VERSION } from '../../lib/version.ts'
import { formatPod, POD_STATES, PodsAnswer } from '../broker/messages.ts'
import type { BrokerList } from './namespace-broker.ts'
import type { NodePod } from './node-pod.ts'
import type { RoutedPod } from './routed-pod.ts'

/** The states of a pod, from the worst to the best. `waiting`: the agent cannot route the pod. */
const STATES = ['waiting', ...POD_STATES] as const

const MAX_PROBLEM_CHARS = 1000

type PodState = (typeof STATES)[number]

export interface PodStatus extends Pick<
  RoutedPod,
  'namespace' | 'name' | 'uid' | 'serviceAccount'
> {
  readonly state: PodState
  /** The first problem, with its fix if it has one. */
  readonly problem?: string | undefined
  readonly cachedTokens: number
}

export type NodeStatus = Awaited<ReturnType<typeof createNodeStatus>>

export interface NodeParts {
  readonly reconciler: { readonly pods: ReadonlyMap<string, Pick<NodePod, 'pod' | 'error'>> }
  readonly brokers: BrokerList
}

/** Creates the document of `/status.json`. */
export async function createNodeStatus(node: string, parts: NodeParts) {
  const pods = await describePods(parts)
  return {
    /** Increases when a field is removed or changes its meaning, not when one is added. */
    schemaVersion: 1,
    generatedAt: new Date().toISOString(),
    node,
    build: { version: VERSION, node: process.version },
    pods: pods.toSorted(compare),
  }
}

/** Returns how many pods there are in each state. */
export async function countPods(parts: NodeParts): Promise<Map<PodState, number>> {
  const counts = new Map<PodState, number>(STATES.map((state) => [state, 0]))
  for (const { state } of await describePods(parts)) {
    counts.set(state, (counts.get(state) ?? 0) + 1)
  }
  return counts
}

async function describePods({ reconciler, brokers }: NodeParts): Promise<PodStatus[]> {
  const answers = new Map<string, PodsAnswer[number]>()
  const ask = async (broker: ReturnType<BrokerList['all']>[number]) => {
    const { data = [] } = PodsAnswer.safeParse(await broker.ask({ about: 'pods' }))
    const own = new Set(broker.pods.map(({ uid }) => uid))
    for (const answer of data) if (own.has(answer.uid)) answers.set(answer.uid, answer)
  }
  await Promise.all(brokers.all().map(ask))
  return [...reconciler.pods.values()].map(({ pod, error }) => {
    const { namespace, name, uid, serviceAccount } = pod
    const subject = { namespace, name, uid, serviceAccount }
    const { state, problem = '', cachedTokens = 0 } = answers.get(uid) ?? describeOwn(error)
    const line = toLine(scrubAndTruncate(problem, MAX_PROBLEM_CHARS))
    return { ...subject, state, ...(line !== '' && { problem: line }), cachedTokens }
  })
}

/** Describes a pod of which no broker says anything. */
function describeOwn(error: unknown) {
  if (error === undefined) return { state: 'starting', problem: '', cachedTokens: 0 } as const
  return { state: 'waiting', problem: errorMessage(error), cachedTokens: 0 } as const
}

function compare(a: PodStatus, b: PodStatus): number {
  const order = STATES.indexOf(a.state) - STATES.indexOf(b.state)
  return order || formatPod(a).localeCompare(formatPod(b))
}
