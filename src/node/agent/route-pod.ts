/** Routes one pod: opens a socket in its network namespace, and loads the redirect of mode `loopback` to it. */
import { closeSync, fstatSync, openSync, type Stats, statSync } from 'node:fs'
import { join } from 'node:path'
import { errorMessage } from '../../lib/describe-error.ts'
import { createSteps } from '../../redirect/apply.ts'
import type { RedirectSettings } from '../../redirect/ruleset.ts'
import type { RunOptions } from '../../redirect/run-tool.ts'
import { findRuntimeProblem } from '../../kubernetes/pod.ts'
import type { Semaphore } from '../../lib/semaphore.ts'
import { type ListeningSocket, openSocket, ToolFailure } from './open-socket.ts'
import type { RoutedPod } from './routed-pod.ts'
import { ignoreEnded, type ReadSandboxes, type Sandboxes } from './sandboxes.ts'

/** Why a pod was not routed; the label values of `wimds_node_agent_failures_total`. */
export const ROUTE_FAILURE_REASONS = [
  'namespace_not_found',
  'namespace_ambiguous',
  'node_namespace',
  'runtime_not_supported',
  'kubelet_directory',
  'broker_failed',
  'too_many_brokers',
  'socket_failed',
  'tool_failed',
  'settings_invalid',
] as const

export type RouteFailureReason = (typeof ROUTE_FAILURE_REASONS)[number]

/** A pod could not be routed. The message names the fix. */
export class RouteFailure extends Error {
  readonly reason: RouteFailureReason

  constructor(reason: RouteFailureReason, message: string, cause?: unknown) {
    super(message, { cause })
    this.reason = reason
  }
}

/** The way to a pod: its network namespace, and the socket in it. */
export interface Route {
  /** The inode of the pod's network namespace. No other namespace gets it while this process has a socket there. */
  readonly namespace: number
  /** The path at which the runtime keeps that namespace. */
  readonly path: string
  /** The socket in the namespace to which the redirect leads. */
  readonly socket: ListeningSocket
  /** The pod's settings, with its identity. */
  readonly env: RoutedPod['env']
}

/** Routes a pod unless its route still holds, and returns its route. */
export type RoutePod = (pod: RoutedPod, route?: Route) => Promise<Route>

interface RouteOptions {
  /** Returns false while the predecessor of this agent runs, which serves the pods until a broker of this agent does. */
  readonly listens: () => boolean
  readonly findSettings: (pod: RoutedPod) => Promise<RoutedPod['env']>
  readonly readSandboxes: ReadSandboxes
  /** The kubelet's directory of pods, with a directory for each pod of the node, named by its UID. */
  readonly kubeletPodsDirectory: string
  readonly tools: RunOptions
  /** Limits how many tools run at the same time. */
  readonly limitTools: Semaphore
}

/** The maximum age of a snapshot of the sandboxes, which the pods that wait for theirs share. */
const MAX_SNAPSHOT_AGE_MS = 100

/**
 * Creates a function that opens a socket in the network of a pod and redirects 169.254.169.254:80 to it. It throws a
 * `RouteFailure`.
 */
export function createPodRouter(options: RouteOptions): RoutePod {
  const { findSettings, readSandboxes, limitTools } = options
  return async (pod, route) => {
    const { problem, runtimeClass, uid } = pod
    if (route !== undefined && holds(pod, route, readSandboxes(MAX_SNAPSHOT_AGE_MS))) return route
    const invalid =
      problem === undefined ? undefined : new RouteFailure('settings_invalid', problem)
    // An ending pod without a sandbox has ended, which is no failure of its settings.
    if (invalid !== undefined && !pod.isEnding) throw invalid
    const path = findNamespace(readSandboxes(MAX_SNAPSHOT_AGE_MS), uid)
    if (invalid !== undefined) throw invalid
    const runtime = findRuntimeProblem(runtimeClass)
    if (runtime !== undefined) throw new RouteFailure('runtime_not_supported', runtime)
    const namespace = ignoreEnded(() => openSync(path, 'r'))
    if (namespace === undefined) throw createNotFound(uid)
    try {
      const status = fstatSync(namespace)
      // Since the snapshot, another pod may have claimed the file.
      if (findNamespace(readSandboxes(), uid) !== path) throw createNotFound(uid)
      if (isOwnNamespace(status)) {
        throw new RouteFailure(
          'node_namespace',
          `${path} is the network of the node agent, which is never changed. Fix: remove hostNetwork from the pod`,
        )
      }
      requireKubeletDirectory(options.kubeletPodsDirectory, uid)
      const env = await findSettings(pod)
      const socket = await limitTools(() => routeNamespace(pod.port, namespace, options))
      return { namespace: status.ino, path, socket, env }
    } finally {
      closeSync(namespace)
    }
  }
}

/**
 * Returns true while the route is valid: the runtime still has the namespace at its path, and no other pod claims the path. The
 * record may be gone, unless the pod was deleted. Comparing inodes is not enough: the socket keeps a namespace alive that the
 * runtime has removed.
 */
function holds({ uid, isDeleted }: RoutedPod, route: Route, sandboxes: Sandboxes): boolean {
  const { path, namespace } = route
  const own = sandboxes.get(uid) ?? []
  const isRecorded = own.length === 0 ? isDeleted !== true : own.join('\n') === path
  const isShared = [...sandboxes].some(([other, paths]) => other !== uid && paths.includes(path))
  return isRecorded && !isShared && ignoreEnded(() => statSync(path).ino) === namespace
}

/** Returns the path of the pod's namespace. Throws a `RouteFailure` if it has none, several, or another pod's. */
function findNamespace(sandboxes: Sandboxes, uid: string): string {
  const [path, ...more] = sandboxes.get(uid) ?? []
  if (path === undefined) throw createNotFound(uid)
  const others = [...sandboxes].filter(([other, paths]) => other !== uid && paths.includes(path))
  if (more.length > 0 || others.length > 0) {
    const claims = [uid, ...others.map(([other]) => other)].join(', ')
    throw new RouteFailure(
      'namespace_ambiguous',
      `the namespaces ${[path, ...more].join(', ')} have records of the pods ${claims}. Fix: delete the pod, or the records of ended pods in the directory of CNI results on the node`,
    )
  }
  return path
}

const createNotFound = (uid: string) =>
  new RouteFailure(
    'namespace_not_found',
    `the container runtime has no record of a network namespace of the pod with UID ${uid}. Fix: set the values nodeAgent.cniResultsDirectory, nodeAgent.containerdDirectory and nodeAgent.netnsDirectory of the chart to the directories of the node's runtime`,
  )

/** Throws a `RouteFailure` if the directory has no entry for a pod with a sandbox: then the kubelet uses another directory. */
function requireKubeletDirectory(directory: string, uid: string): void {
  if (ignoreEnded(() => statSync(join(directory, uid))) !== undefined) return
  throw new RouteFailure(
    'kubelet_directory',
    `${directory} of the agent has no directory for the pod with UID ${uid}, although its sandbox runs. Fix: set nodeAgent.kubeletDirectory to the kubelet's directory of this node (k0s: /var/lib/k0s/kubelet; MicroK8s: /var/snap/microk8s/common/var/lib/kubelet)`,
  )
}

function isOwnNamespace({ dev, ino }: Stats): boolean {
  const own = statSync('/proc/self/ns/net')
  return own.dev === dev && own.ino === ino
}

/**
 * Opens the socket, and then loads the rules that lead to it. By these rules new connections wait while no process listens,
 * such as between the end of an agent and the start of the next one.
 */
async function routeNamespace(
  port: number,
  namespace: number,
  { tools, listens }: RouteOptions,
): Promise<ListeningSocket> {
  const settings: RedirectSettings = { mode: 'loopback', port, exemptUid: undefined }
  const steps = createSteps(settings, 'apply and await')
  try {
    return await openSocket({ namespace, port, listens: listens(), steps, ...tools })
  } catch (error) {
    const reason = error instanceof ToolFailure ? 'tool_failed' : 'socket_failed'
    throw new RouteFailure(reason, errorMessage(error), error)
  }
}
