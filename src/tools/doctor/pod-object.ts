/** Parses a pod of the cluster: the parts of its spec and status that doctor reads. */
import * as z from 'zod/mini'
import {
  allContainers,
  type Container,
  findVariable,
  GATE,
  getLiteralValue,
  isInjected,
  parsePod,
  type Pod,
  REDIRECT,
  SIDECAR,
} from '../../kubernetes/pod.ts'
import { getItems, isRead, type Kubectl, type Unread } from './kubectl.ts'
import { type RoutingMode, SIDECAR_MODES } from '../../lib/sidecar-interface.ts'

const text = z.optional(z.string())

const State = z.looseObject({
  running: z.optional(z.looseObject({})),
  waiting: z.optional(z.looseObject({ reason: text, message: text })),
  terminated: z.optional(
    z.looseObject({ exitCode: z.optional(z.number()), reason: text, message: text }),
  ),
})

const ContainerStatus = z.looseObject({
  name: z.string(),
  restartCount: z.optional(z.number()),
  ready: z.optional(z.boolean()),
  state: z.optional(State),
  lastState: z.optional(State),
})

const Status = z.object({
  phase: text,
  reason: text,
  message: text,
  conditions: z.optional(
    z.array(z.looseObject({ type: z.string(), status: z.string(), message: text })),
  ),
  initContainerStatuses: z.optional(z.array(ContainerStatus)),
  containerStatuses: z.optional(z.array(ContainerStatus)),
})

export type ContainerStatus = z.infer<typeof ContainerStatus>

const ClusterObject = z.object({
  metadata: z.looseObject({
    name: z.string(),
    namespace: text,
    labels: z.optional(z.record(z.string(), z.string())),
    creationTimestamp: text,
    deletionTimestamp: text,
  }),
  spec: z.looseObject({ nodeName: text }),
  status: Status,
})

/** A pod of the cluster. */
export interface ClusterPod {
  readonly pod: Pod
  readonly name: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  /** Undefined until it is scheduled. */
  readonly node: string | undefined
  readonly isReady: boolean
  readonly isBeingDeleted: boolean
  /** In the order of time; empty if it is not known. */
  readonly createdAt: string
  readonly status: z.infer<typeof Status>
}

/** Returns the pod; undefined if the object is none. */
export function readClusterPod(value: unknown): ClusterPod | undefined {
  const pod = parsePod(value, [])
  const { data } = ClusterObject.safeParse(value)
  if (pod === undefined || data === undefined) return undefined
  const { metadata, spec, status } = data
  const { name, namespace = 'default', labels = {}, creationTimestamp: createdAt = '' } = metadata
  const ready = status.conditions?.find(({ type }) => type === 'Ready')
  return {
    pod,
    name,
    namespace,
    labels,
    node: spec.nodeName,
    isReady: ready?.status === 'True',
    isBeingDeleted: metadata.deletionTimestamp !== undefined,
    createdAt,
    status,
  }
}

/** Selects the objects of the node agent, by the label of the chart. */
export const OF_AGENT = '--selector=app.kubernetes.io/component=node-agent'

/** Gets pods with the rights of the user. */
export async function getPods(
  kubectl: Kubectl,
  ...args: readonly string[]
): Promise<ClusterPod[] | Unread> {
  const items = await getItems(kubectl, z.unknown(), 'pods', ...args)
  return isRead(items) ? items.flatMap((item) => readClusterPod(item) ?? []) : items
}

/** The name under which the webhook of azure-workload-identity adds the image of wimds as its proxy. */
const DROP_IN = 'azwi-proxy'

/** Returns the container of the sidecar; undefined if the pod has none. */
export function findSidecarContainer(pod: Pod): Container | undefined {
  const containers = allContainers(pod)
  return [SIDECAR, DROP_IN]
    .map((wanted) => containers.find(({ name }) => name === wanted))
    .find((container) => container !== undefined)
}

/** Returns the gate; undefined if the pod is not of mode node. */
export function findGate(pod: Pod): Container | undefined {
  return pod.spec.initContainers?.find(({ name }) => name === GATE)
}

/** Returns the containers of the application, init containers first. */
export function findAppContainers(pod: Pod, sidecar: Container): Container[] {
  return allContainers(pod).filter((each) => each.name !== sidecar.name && !isInjected(each))
}

/** Returns the routing mode by the gate, the sidecar's variables or the redirect; undefined if none shows it. */
export function findMode(pod: Pod): RoutingMode | undefined {
  if (findGate(pod) !== undefined) return 'node'
  const sidecar = findSidecarContainer(pod)
  const redirect = findRedirectContainer(pod)
  const args = Array.isArray(redirect?.['args']) ? redirect['args'].map(String) : []
  const found =
    getLiteralValue(sidecar && findVariable(sidecar, 'WIMDS_MODE')) ??
    args.find((arg) => arg.startsWith('--mode='))?.slice('--mode='.length)
  return SIDECAR_MODES.find((mode) => mode === found)
}

/** Returns the init container of the redirect; undefined if there is none. */
export function findRedirectContainer(pod: Pod): Container | undefined {
  return pod.spec.initContainers?.find(({ name }) => name === REDIRECT)
}

/** Returns the status of a container; undefined before the kubelet has one. */
export function findStatus({ status }: ClusterPod, name: string): ContainerStatus | undefined {
  const { initContainerStatuses = [], containerStatuses = [] } = status
  return [...initContainerStatuses, ...containerStatuses].find((each) => each.name === name)
}
