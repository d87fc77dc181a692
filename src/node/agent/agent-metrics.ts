/** The metrics of the node agent. `npm run docs:telemetry` writes docs/metrics.md from their help texts. */
import {
  Counter,
  createRegistry,
  Gauge,
  Histogram,
  registerBuildInfo,
  registerCollected,
  type Registry,
  toSamples,
} from '../../service/prometheus.ts'
import { describeDroppedLines } from '../../broker/telemetry/state-metrics.ts'
import type { Reconciler } from './reconciler.ts'
import { ROUTE_FAILURE_REASONS, type RouteFailureReason } from './route-pod.ts'

const ROUTE_BUCKETS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/**
 * Creates the counted metrics in a new registry. `droppedLines`: how many lines the log has dropped since the start, by event.
 */
export function createNodeAgentMetrics(droppedLines: ReadonlyMap<string, number>) {
  const registry = createRegistry()
  const registers = [registry]
  registerCollected(registry, [
    describeDroppedLines(droppedLines, ['pod_not_routed', 'node_agent_error', 'broker_output']),
  ])
  const duration = new Histogram({
    name: 'wimds_node_agent_route_duration_seconds',
    help: 'Time from when the agent first saw the sandbox of a pod until a broker served the pod.',
    buckets: ROUTE_BUCKETS,
    registers,
  })
  const failures = new Counter({
    name: 'wimds_node_agent_failures_total',
    help: 'Failed attempts to serve a pod, by reason.',
    labelNames: ['reason'],
    registers,
  })
  for (const reason of ROUTE_FAILURE_REASONS) failures.inc({ reason }, 0)
  const brokerEnds = new Counter({
    name: 'wimds_node_agent_broker_restarts_total',
    help: 'How often a broker has ended and was started again.',
    registers,
  })
  const synced = new Gauge({
    name: 'wimds_node_agent_synced',
    help: 'Whether the agent could read the pods of its node at the last attempt.',
    registers,
  })
  registerBuildInfo(registry, 'wimds_node_agent_build_info')
  return {
    registry,
    onRouted: (durationMs: number) => duration.observe(durationMs / 1000),
    onFailure: (reason: RouteFailureReason) => failures.inc({ reason }),
    onBrokerEnd: () => brokerEnds.inc(),
    /** Records whether the agent could read the pods of its node. */
    onSync: (isSynced: boolean) => synced.set(isSynced ? 1 : 0),
  }
}

/** Adds the metrics that are read at each scrape. */
export function registerNodeState(
  registry: Registry,
  reconciler: Pick<Reconciler, 'counts' | 'longestPendingMs'>,
): void {
  registerCollected(registry, [
    {
      name: 'wimds_node_agent_pods',
      type: 'gauge',
      help: 'Pods of mode node on this node, by state: routed (served by a broker) or pending.',
      labelNames: ['state'],
      collect: () => toSamples('state', Object.entries(reconciler.counts())),
    },
    {
      name: 'wimds_node_agent_longest_pending_seconds',
      type: 'gauge',
      help: 'The longest time that a pod with an address has been waiting for its route; 0 if none waits.',
      collect: () => reconciler.longestPendingMs() / 1000,
    },
  ])
}
