/** The pod that the user names, as kubectl takes names. */
import { isDnsLabel, isDnsSubdomain } from '../../../lib/grammars.ts'

/** A pod as the user names it. */
export interface PodTarget {
  /** Undefined: the current namespace of the kubeconfig. */
  readonly namespace: string | undefined
  /** The kind of a workload, as the user wrote it; undefined: the name is that of a pod, or else of a workload of any kind. */
  readonly kind: string | undefined
  readonly name: string
}

/** The kinds of workloads that every cluster has, for kubectl. */
export const WORKLOADS = 'deployments,statefulsets,daemonsets,replicasets,jobs,cronjobs'

/** Their names in kubectl, with the short ones; any kind with its group: no namespace has a dot in its name. */
const WORKLOAD =
  /^(?:deploy|(?:deployment|statefulset|daemonset|replicaset|job|cronjob|rollout)s?|sts|ds|rs|cj|[a-z]+(?:\.[a-z0-9-]+)+)$/i
const POD = /^po(?:ds?)?$/i

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
