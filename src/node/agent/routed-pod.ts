/**
 * Reads the settings of a pod of mode `node`. Trusts only fields that its author cannot change after the creation of the pod.
 */
import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import * as z from 'zod/mini'
import { quote } from '../../service/parsers.ts'
import {
  API_ACCESS_DIRECTORY,
  findText,
  GATE,
  getLiteralValue,
  getServiceAccountName,
  Pod,
  type Volume,
  type VolumeMount,
} from '../../kubernetes/pod.ts'
import { ServedPod } from '../broker/messages.ts'
import { findSizeProblem } from './pod-size.ts'

/** A pod of mode `node`. */
export type RoutedPod = z.infer<typeof RoutedPod>
export const RoutedPod = z.extend(ServedPod, {
  /** True once the kubelet has reported an address: then the pod has a sandbox. */
  hasAddress: z.boolean(),
  /** True when the pod is being deleted or has ended: it is served until its sandbox is gone. */
  isEnding: z.boolean(),
  /** True when the API server does not have the pod any more. */
  isDeleted: z.optional(z.boolean()),
  /** The port on 127.0.0.1 in the network of the pod. */
  port: z.number(),
  /** The volumes that its gate mounts: the path in the gate, and the directory below the pod's on the node. */
  mounts: z.array(z.object({ path: z.string(), directory: z.string() })),
  runtimeClass: z.optional(z.string()),
  /** Why the pod is not served, whether or not it has a sandbox. */
  problem: z.optional(z.string()),
})

/** The fields that name a pod in its events. */
export type PodName = Pick<RoutedPod, 'uid' | 'namespace' | 'name'>

/** The fields that a pod of the API server has and a template may lack. */
const ApiPod = z.extend(Pod, {
  metadata: z.object({
    uid: z.string(),
    namespace: z.string(),
    name: z.string(),
    deletionTimestamp: z.nullish(z.string()),
  }),
  status: z.object({
    phase: z.nullish(z.string()),
    podIPs: z.nullish(z.array(z.unknown())),
  }),
})

const PORT = /:(\d{1,5})(?:,|$)/
/** The lowest port of a broker: lower ones are for servers of the pod. */
const MIN_PORT = 1024

/**
 * Returns the pod; undefined for a pod without a gate. The settings are variables of the gate: unlike annotations, nobody can
 * change them in an existing pod.
 */
export function parseRoutedPod(value: unknown): RoutedPod | undefined {
  const { data } = ApiPod.safeParse(value)
  if (data === undefined) return undefined
  const { metadata, spec, status } = data
  const gate = spec.initContainers?.find(({ name }) => name === GATE)
  if (gate === undefined) return undefined
  // If a variable is set twice, the kubelet takes the last value.
  const variables = new Map(
    (gate.env ?? []).map((entry) => [entry.name, getLiteralValue(entry) ?? '']),
  )
  const env = Object.fromEntries([...variables].filter(([, text]) => text !== ''))
  const listen = env['WIMDS_LISTEN'] ?? ''
  const port = Number(PORT.exec(listen)?.[1] ?? 0)
  const volumes = findVolumes(gate.volumeMounts ?? [], spec.volumes ?? [])
  const mounts = volumes.map(({ path, directory }) => ({ path, directory }))
  const sizeProblem = findSizeProblem(env, mounts)
  const hasEnded = status.phase === 'Succeeded' || status.phase === 'Failed'
  return {
    uid: metadata.uid,
    namespace: metadata.namespace,
    name: metadata.name,
    serviceAccount: getServiceAccountName(spec),
    hasAddress: (status.podIPs ?? []).length > 0,
    isEnding: hasEnded || metadata.deletionTimestamp != null,
    port,
    env: sizeProblem === undefined ? env : {},
    mounts: sizeProblem === undefined ? mounts : [],
    contents: computeDigest(volumes.map(({ path, content }) => [path, content])),
    runtimeClass: findText(spec['runtimeClassName']),
    problem: sizeProblem ?? findGateProblem(spec, env, port),
  }
}

/**
 * Returns why the pod of a gate is not served. A policy copies annotations into the gate's variables unchecked, and a gate that
 * was written by hand may have any value.
 */
function findGateProblem(
  { hostNetwork }: Pod['spec'],
  env: RoutedPod['env'],
  port: number,
): string | undefined {
  const { WIMDS_LISTEN: listen = '', WIMDS_MODE: mode, WIMDS_OTHER_ANNOTATIONS: others } = env
  if (hostNetwork === true) {
    return `the pod uses hostNetwork, so every process of its node could get its tokens. Fix: remove hostNetwork, or the init container ${GATE}`
  }
  if (mode && mode !== 'node') {
    return `the annotation wimds.io/mode is ${quote(mode)}, but policies inject only mode node. Fix: set it to node, or install wimds with injection.by=webhook`
  }
  if (others) {
    return `injection by policy does not have these annotations: ${others}. Fix: remove them from the pod template, or install wimds with injection.by=webhook`
  }
  if (port >= MIN_PORT && port <= 65_535) return undefined
  return `the variable WIMDS_LISTEN of the container ${GATE} is ${quote(listen)}, not an address with a port from ${MIN_PORT} to 65535. Fix: correct the annotation wimds.io/port, and create the pod again`
}

/**
 * Returns the mounted projected volumes and ConfigMaps, with the directories where the kubelet writes them. Leaves out mounts
 * with a `subPath`, and the token for the API server, which the broker does not need.
 */
function findVolumes(mounts: readonly VolumeMount[], volumes: readonly Volume[]) {
  return mounts.flatMap(({ name, mountPath, subPath, subPathExpr }) => {
    const volume = volumes.find((each) => each.name === name)
    const kind =
      volume?.projected != null ? 'projected' : volume?.['configMap'] != null && 'configmap'
    if (kind === false || subPath || subPathExpr) return []
    if (posix.normalize(`${mountPath}/`) === `${API_ACCESS_DIRECTORY}/`) return []
    const content = volume?.projected ?? volume?.['configMap']
    return [{ path: mountPath, directory: `volumes/kubernetes.io~${kind}/${name}`, content }]
  })
}

const computeDigest = (value: unknown) =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex')
