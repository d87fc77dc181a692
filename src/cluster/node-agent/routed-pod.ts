/** Reads from a pod what routing it takes. Trusts what the API server does not let its author change later. */
import * as z from 'zod/mini'
import { SIDECAR } from '../injector/pod.ts'

/** A pod of mode `node`. */
export interface RoutedPod {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  /** True once the kubelet has reported an address: then the pod has a sandbox. */
  readonly hasAddress: boolean
  /** The sidecar's port on 127.0.0.1. */
  readonly port: number
  /** True from the moment when the sidecar's start-up probe has passed, until its container restarts. */
  readonly isSidecarStarted: boolean
  readonly runtimeClass: string | undefined
}

const Env = z.looseObject({ name: z.string(), value: z.nullish(z.string()) })
const Pod = z.object({
  metadata: z.object({
    uid: z.string(),
    namespace: z.string(),
    name: z.string(),
    deletionTimestamp: z.nullish(z.string()),
  }),
  spec: z.object({
    initContainers: z.nullish(
      z.array(z.object({ name: z.string(), env: z.nullish(z.array(Env)) })),
    ),
    hostNetwork: z.nullish(z.boolean()),
    runtimeClassName: z.nullish(z.string()),
  }),
  status: z.object({
    phase: z.nullish(z.string()),
    podIPs: z.nullish(z.array(z.unknown())),
    initContainerStatuses: z.nullish(
      z.array(z.object({ name: z.string(), started: z.nullish(z.boolean()) })),
    ),
  }),
})

const PORT = /:(\d{1,5})(?:,|$)/

/**
 * Returns the pod; undefined for one that is not of mode `node`, has ended, or has the network of its node. Mode and
 * port come from the sidecar's variables: unlike annotations, they cannot be changed in a pod that exists.
 */
export function parseRoutedPod(value: unknown): RoutedPod | undefined {
  const { data } = Pod.safeParse(value)
  if (data === undefined) return undefined
  const { metadata, spec, status } = data
  const sidecar = spec.initContainers?.find(({ name }) => name === SIDECAR)
  const find = (wanted: string) => sidecar?.env?.findLast(({ name }) => name === wanted)?.value
  const port = Number(PORT.exec(find('WIMDS_LISTEN') ?? '')?.[1])
  const hasEnded = status.phase === 'Succeeded' || status.phase === 'Failed'
  if (find('WIMDS_MODE') !== 'node' || !(port >= 1 && port <= 65_535)) return undefined
  if (hasEnded || metadata.deletionTimestamp != null) return undefined
  if (spec.hostNetwork === true) return undefined
  const started = status.initContainerStatuses?.find(({ name }) => name === SIDECAR)?.started
  return {
    uid: metadata.uid,
    namespace: metadata.namespace,
    name: metadata.name,
    hasAddress: (status.podIPs ?? []).length > 0,
    port,
    isSidecarStarted: started === true,
    runtimeClass: spec.runtimeClassName ?? undefined,
  }
}
