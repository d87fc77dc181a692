/** The pod that the user names, as kubectl takes names. */
import { isDnsLabel, isDnsSubdomain } from '../../../lib/object-names.ts'

/** A pod as the user names it. */
export interface PodTarget {
  /** Undefined: the current namespace of the kubeconfig. */
  readonly namespace: string | undefined
  /**
   * The kind of a workload, as kubectl names it; if it is undefined, the name is that of a pod, or else of a workload of
   * any kind.
   */
  readonly kind: string | undefined
  readonly name: string
}

/** The kinds of workloads, with their short names in kubectl; the first is the plural. */
const KINDS = [
  ['deployments', 'deployment', 'deploy'],
  ['statefulsets', 'statefulset', 'sts'],
  ['daemonsets', 'daemonset', 'ds'],
  ['replicasets', 'replicaset', 'rs'],
  ['jobs', 'job'],
] as const
const POD_KINDS = ['pods', 'pod', 'po']

/** The kinds of workloads, for kubectl. */
export const WORKLOADS = KINDS.map(([plural]) => plural).join(',')

/** Parses `[NAMESPACE/][KIND/]NAME`, of which NAME is a pod's if no kind is given; undefined if it is none of these. */
export function parsePodTarget(text: string): PodTarget | undefined {
  const parts = text.split('/')
  const name = parts.pop() ?? ''
  const given = parts.at(-1)
  const known = KINDS.find((names) => names.some((each) => each === given))
  const hasKind = known !== undefined || POD_KINDS.some((each) => each === given)
  if (hasKind) parts.pop()
  const [namespace, ...rest] = parts
  const isValid = rest.length === 0 && (namespace === undefined || isDnsLabel(namespace))
  return isValid && isDnsSubdomain(name) ? { namespace, kind: known?.[0], name } : undefined
}
