/** Routes one pod: loads the redirect of mode `loopback` into its network namespace. */
import { LRUCache } from 'lru-cache'
import { errorMessage } from '../../lib/describe-error.ts'
import { isLinkLocal, isLoopback } from '../../lib/hosts.ts'
import { createSingleFlight } from '../../lib/single-flight.ts'
import {
  applyRedirect,
  applyRestartRule,
  findRedirectProblem,
} from '../../sidecar/redirect/apply.ts'
import { REDIRECT_DEFAULTS, type RedirectSettings } from '../../sidecar/redirect/ruleset.ts'
import type { RunOptions } from '../../sidecar/redirect/run-tool.ts'
import { hasOwnNetworkStack } from '../injector/pod.ts'
import { type FindNamespaces, readAddresses } from './network-namespaces.ts'
import type { RoutedPod } from './routed-pod.ts'

/** Why a pod was not routed; the label values of `wimds_node_agent_failures_total`. */
export const ROUTE_FAILURE_REASONS = [
  'namespace_not_found',
  'node_namespace',
  'runtime_not_supported',
  'tool_failed',
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

export type RoutePod = (pod: RoutedPod) => Promise<void>

interface RouteOptions {
  readonly findNamespaces: FindNamespaces
  readonly tools: Omit<RunOptions, 'namespace'>
  /** Namespaces whose addresses are cached. */
  readonly maxCached?: number
}

/** A node has 250 pods at most, as a rule. Namespaces of pods that have ended are evicted in time. */
const MAX_CACHED = 1000

/**
 * Creates the function that routes a pod. Idempotent: a complete redirect is left as it is. Every namespace that
 * has the pod's address is routed: only a pod with NET_ADMIN can take the address of another one, and the
 * rules lead nowhere but to its own loopback. The function throws a `RouteFailure`.
 */
export function createPodRouter({
  findNamespaces,
  tools,
  maxCached = MAX_CACHED,
}: RouteOptions): RoutePod {
  /** By namespace: a node has one for each pod, and reading them takes two processes. */
  const known = new LRUCache<string, readonly string[]>({ max: maxCached })
  /** Reads in flight, which pods that start together share. */
  const shareRead = createSingleFlight<readonly string[]>()

  return async (pod) => {
    const { runtimeClass = '', addresses } = pod
    if (hasOwnNetworkStack(runtimeClass)) {
      throw new RouteFailure(
        'runtime_not_supported',
        `mode node does not work with the runtime class ${runtimeClass}, whose pods have a network stack of their own. Fix: set wimds.io/mode: env`,
      )
    }
    let routed = 0
    let unreadable: RouteFailure | undefined
    for await (const namespace of findNamespaces(pod)) {
      try {
        const cached = known.get(namespace.id)
        if (cached !== undefined && !hasCommon(cached, addresses)) continue
        // Read again if cached: the pod that has the address now is changed.
        const found = await shareRead(namespace.id, () => readAddresses(namespace, tools)).catch(
          (error: unknown) => {
            // The directory may have files that are no namespace any more.
            unreadable = createToolFailure(error)
            return []
          },
        )
        if (found.some(isRoutable)) known.set(namespace.id, found)
        if (!hasCommon(found, addresses)) continue
        if (hasCommon(found, pod.hostAddresses)) {
          throw new RouteFailure(
            'node_namespace',
            `${namespace.path} has the address of the node, whose own network is never changed. Fix: remove hostNetwork from the pod`,
          )
        }
        await routeNamespace(pod, found, { ...tools, namespace: namespace.handle.fd })
        routed += 1
      } finally {
        await namespace.handle.close()
      }
    }
    if (routed === 0) {
      known.clear()
      if (unreadable !== undefined) throw unreadable
      throw new RouteFailure(
        'namespace_not_found',
        `no network namespace of this node has the address ${addresses.join(' or ')}. Fix: check the value nodeAgent.discovery of the chart, and that the container runtime keeps network namespaces in the directory that the agent mounts`,
      )
    }
  }
}

function hasCommon(some: readonly string[], others: readonly string[]): boolean {
  return some.some((each) => others.includes(each))
}

/**
 * Returns true for an address that is neither loopback nor link-local. A namespace without one is still being set up:
 * the kernel assigns fe80:: as soon as a link is up, and the network plugin the pod's address later.
 */
function isRoutable(address: string): boolean {
  return !isLoopback(address) && !isLinkLocal(address)
}

async function routeNamespace(
  pod: RoutedPod,
  addresses: readonly string[],
  options: RunOptions,
): Promise<void> {
  const { port, isSidecarStarted } = pod
  const settings: RedirectSettings = { ...REDIRECT_DEFAULTS, port, exemptUid: undefined }
  try {
    // Without the table, or the tool, this throws; then so does what follows, or it helps.
    const isComplete =
      addresses.includes(settings.metadataIp) &&
      (await findRedirectProblem(settings, options).then(
        (problem) => problem === undefined,
        () => false,
      ))
    if (!isComplete) await applyRedirect(settings, options)
    if (isSidecarStarted) await applyRestartRule(settings, options)
  } catch (error) {
    throw createToolFailure(error)
  }
}

const createToolFailure = (error: unknown) =>
  new RouteFailure('tool_failed', errorMessage(error), error)
