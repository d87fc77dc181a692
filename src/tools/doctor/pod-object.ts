/** Reads pods of a cluster and their events: the parts that doctor needs. */
import * as z from 'zod/mini'
import {
  allContainers,
  type Container,
  findVariable,
  getLiteralValue,
  isInjected,
  Pod,
  SIDECAR,
} from '../../kubernetes/pod.ts'
import { firstItems } from '../../lib/printable.ts'
import { catchEnd, CheckEnd } from './findings.ts'
import { type Kubectl, list } from './kubectl.ts'
import { SIDECAR_MODES, type SidecarMode } from '../../lib/sidecar-interface.ts'

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

const labels = z.nullish(z.record(z.string(), z.string()))

export const ClusterPod = z.extend(Pod, {
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.catch(z.string(), 'default'),
    annotations: labels,
    labels,
    creationTimestamp: z.catch(z.string(), ''),
    deletionTimestamp: text,
  }),
  spec: z.extend(Pod.shape.spec, { nodeName: text }),
  status: Status,
})

/** A pod of the cluster. Its node is undefined until it is scheduled. */
export type ClusterPod = z.infer<typeof ClusterPod>

/** Returns true if the kubelet reports the pod as ready. */
export function isReady({ status }: ClusterPod): boolean {
  return status.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') === true
}

/** Returns true if the pod has ended, or is being deleted. */
export function isEnding({ metadata, status }: ClusterPod): boolean {
  return (
    metadata.deletionTimestamp !== undefined || /^(?:Succeeded|Failed)$/.test(status.phase ?? '')
  )
}

/** Returns the pod with the best flags, of which the first counts most; of equal pods the newest. */
export function chooseNewest(
  pods: readonly ClusterPod[],
  getFlags: (pod: ClusterPod) => readonly boolean[],
): ClusterPod | undefined {
  const format = (pod: ClusterPod) =>
    [...getFlags(pod).map(Number), pod.metadata.creationTimestamp].join(' ')
  return pods.toSorted((a, b) => format(b).localeCompare(format(a)))[0]
}

/** Returns the component of the chart of wimds that the pod is, such as `webhook`. A pod of another chart may have the same label. */
export function findComponent({ metadata }: ClusterPod): string | undefined {
  const { 'helm.sh/chart': chart = '', 'app.kubernetes.io/component': component } =
    metadata.labels ?? {}
  return chart.startsWith('wimds-') ? component : undefined
}

/** Lists the names of the first ten pods. */
export function listPodNames(pods: readonly ClusterPod[]): string {
  return firstItems(pods.map(formatPod), 10).join(', ')
}

/** Returns `NAMESPACE/NAME`. */
export function formatPod({ metadata }: Pick<ClusterPod, 'metadata'>): string {
  return `${metadata.namespace}/${metadata.name}`
}

const Event = z.looseObject({ message: z.nullish(z.string()) })

/** Returns the events with these fields, the last one at the end; none if the events cannot be read. */
export async function readEvents(kubectl: Kubectl, fields: string) {
  const args = ['--sort-by=.lastTimestamp', `--field-selector=${fields}`]
  const events = await catchEnd(() => list(kubectl, Event, 'events', ...args))
  return events instanceof CheckEnd ? [] : events
}

/** The name under which the webhook of azure-workload-identity adds the image of wimds as its proxy. */
export const DROP_IN = 'azwi-proxy'

/** Returns the container of the sidecar; undefined if the pod has none. */
export function findSidecarContainer(pod: Pod): Container | undefined {
  return findContainer(pod, SIDECAR) ?? findContainer(pod, DROP_IN)
}

/** Returns the container of this name; undefined if the pod has none. */
export function findContainer(pod: Pod, wanted: string): Container | undefined {
  return allContainers(pod).find(({ name }) => name === wanted)
}

/** Returns the containers of the application, init containers first. */
export function findAppContainers(pod: Pod, sidecar: Container): Container[] {
  return allContainers(pod).filter((each) => each.name !== sidecar.name && !isInjected(each))
}

/** Returns the setting of a sidecar by its variable; undefined if that is not in the pod. */
export function findSettingOf(sidecar: Container, name: string): string | undefined {
  // As a drop-in the sidecar opens no admin port.
  if (sidecar.name === DROP_IN && name === 'WIMDS_ADMIN_LISTEN') return 'off'
  return getLiteralValue(findVariable(sidecar, name))
}

/** Returns the routing mode of a sidecar; undefined if its variables do not have it. */
export function findMode(sidecar: Container): SidecarMode | undefined {
  // The webhook that adds the drop-in redirects the metadata address.
  if (sidecar.name === DROP_IN) return 'nft'
  const found = findSettingOf(sidecar, 'WIMDS_MODE')
  return SIDECAR_MODES.find((mode) => mode === found)
}

/** Returns the status of a container; empty before the kubelet has one. */
export function findStatus({ status }: ClusterPod, name: string): Partial<ContainerStatus> {
  const { initContainerStatuses = [], containerStatuses = [] } = status
  return [...initContainerStatuses, ...containerStatuses].find((each) => each.name === name) ?? {}
}
