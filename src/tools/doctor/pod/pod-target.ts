/** The pod that the user names, as kubectl takes names. */
import { isDnsLabel, isDnsSubdomain } from '../../../lib/object-names.ts'

/** A pod as the user names it. */
export interface PodTarget {
  /** Undefined: the current namespace of the kubeconfig. */
  readonly namespace: string | undefined
  /** The kind of a workload, as the user wrote it; undefined: the name is that of a pod, or else of a workload of any kind. */
  readonly kind: string | undefined
  readonly name: string
}

/** The kinds of workloads, for kubectl. */
export const WORKLOADS = 'deployments,statefulsets,daemonsets,replicasets,jobs'

/** Their names in kubectl, with the short ones, and those of pods. */
const WORKLOAD = /^(?:deploy|(?:deployment|statefulset|daemonset|replicaset|job)s?|sts|ds|rs)$/
const POD = /^po(?:ds?)?$/

/** Parses `[NAMESPACE/][KIND/]NAME`, of which NAME is a pod's if no kind is given; undefined if it is none of these. */
export function parsePodTarget(text: string): PodTarget | undefined {
  const parts = text.split('/')
  const name = parts.pop() ?? ''
  const word = parts.at(-1) ?? ''
  const kind = WORKLOAD.test(word) ? word : undefined
  if (kind !== undefined || POD.test(word)) parts.pop()
  const [namespace, ...rest] = parts
  const isValid = rest.length === 0 && (namespace === undefined || isDnsLabel(namespace))
  return isValid && isDnsSubdomain(name) ? { namespace, kind, name } : undefined
}
