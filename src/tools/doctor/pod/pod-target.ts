/** Parses the name of a pod or workload, in the forms that kubectl takes. */
import { isDnsLabel, isDnsSubdomain } from '../../../lib/grammars.ts'

/** A pod as the user names it. */
export interface PodTarget {
  /** Undefined: the current namespace of the kubeconfig. */
  readonly namespace: string | undefined
  /** The kind of a workload, as the user wrote it; undefined: a pod has the name, or else a workload of any kind. */
  readonly kind: string | undefined
  readonly name: string
}

/** The kinds of workloads that every cluster has, for kubectl. */
export const WORKLOADS = 'deployments,statefulsets,daemonsets,replicasets,jobs,cronjobs'

/** The names of these kinds in kubectl, or any kind with its group: a word with a dot is not the name of a namespace. */
const WORKLOAD =
  /^(?:deploy|(?:deployment|statefulset|daemonset|replicaset|job|cronjob|rollout)s?|sts|ds|rs|cj|[a-z]+(?:\.[a-z0-9-]+)+)$/i
const POD = /^po(?:ds?)?$/i

/** Parses `[NAMESPACE/][KIND/]NAME`; undefined for another form. */
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
