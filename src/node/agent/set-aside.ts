/** Sets aside the pods that end brokers: the broker of a namespace would end again and again, for all of its pods. */
import { formatProblem } from '../../lib/errors.ts'
import type { NodePod } from './node-pod.ts'

/** After this many brokers in a row have ended when they got the pod, the next broker does not get it. */
const MAX_ENDS = 2

export const isSetAside = ({ ends }: Pick<NodePod, 'ends'>) => ends >= MAX_ENDS

/** Counts a broker that ended when it got this pod. Once there are too many, the pod counts as refused, with the reason. */
export function setAside(served: NodePod, reason: string): void {
  served.ends += 1
  if (!isSetAside(served)) return
  const problem = `${served.ends} brokers have ended when they got this pod, the last one: ${reason}`
  const fix = 'correct the settings and identities file of the pod, and create it again'
  served.onRefused(formatProblem({ problem, fix }))
}
