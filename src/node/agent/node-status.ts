/** The pods of the node, the worst first, and whether a broker serves them. */
import { errorMessage } from '../../lib/describe-error.ts'
import { toLine } from '../../lib/printable.ts'
import { scrubAndTruncate } from '../../lib/secret.ts'
import { VERSION } from '../../lib/version.ts'
import { formatPod } from '../broker/messages.ts'
import type { NodePod } from './node-pod.ts'

/** The states of a pod, from the worst to the best. `waiting`: the last attempt to serve it has failed. */
const STATES = ['waiting', 'starting', 'serving'] as const

const MAX_PROBLEM_CHARS = 1000

/** The pods by uid. */
type Pods = ReadonlyMap<string, Pick<NodePod, 'pod' | 'answer' | 'error'>>

export type NodeStatus = ReturnType<typeof createNodeStatus>
type PodStatus = ReturnType<typeof describePod>

/** Creates the document of `/status.json`. */
export function createNodeStatus(node: string, pods: Pods) {
  return {
    /** Increases when a field is removed or changes its meaning, not when one is added. */
    schemaVersion: 1,
    generatedAt: new Date().toISOString(),
    node,
    build: { version: VERSION, node: process.version },
    pods: [...pods.values()].map(describePod).toSorted(compare),
  }
}

function describePod({ pod, answer, error }: Pick<NodePod, 'pod' | 'answer' | 'error'>) {
  const { namespace, name, uid, serviceAccount } = pod
  const subject = { namespace, name, uid, serviceAccount }
  if (answer === 'serving') return { ...subject, state: 'serving' } as const
  if (error === undefined) return { ...subject, state: 'starting' } as const
  const problem = toLine(scrubAndTruncate(errorMessage(error), MAX_PROBLEM_CHARS))
  return { ...subject, state: 'waiting', problem } as const
}

function compare(a: PodStatus, b: PodStatus): number {
  const order = STATES.indexOf(a.state) - STATES.indexOf(b.state)
  return order || formatPod(a).localeCompare(formatPod(b))
}
