/** Explains why a pod of mode `node` has no route, by the agent of its node and the events of the pod. */
import * as z from 'zod/mini'
import { parseJson } from '../../../lib/json.ts'
import { scrubAndTruncate } from '../../../lib/secret.ts'
import { failed, notChecked, notNeeded } from '../findings.ts'
import { extractReason, type Kubectl } from '../kubectl.ts'
import { createFailure } from '../failure.ts'
import type { Finding } from '../doctor-report.ts'
import { type ClusterPod, ContainerStatus, findStatus } from './pod-object.ts'

interface NodeAgentOptions {
  readonly kubectl: Kubectl
  readonly cluster: ClusterPod
  /** The name of the pod. */
  readonly name: string
  /** The flags of kubectl for its namespace. */
  readonly scope: readonly string[]
  /** The container of its sidecar, which is running. */
  readonly sidecar: string
}

/** The chart's name for the container, and the label of its objects. */
const CONTAINER = 'wimds-node-agent'
const SELECTOR = '--selector=app.kubernetes.io/component=node-agent'
const MAX_MESSAGE = 600

const Metadata = z.looseObject({ namespace: z.string(), name: z.string() })
const PodTemplate = z.looseObject({
  containers: z.array(z.looseObject({ name: z.string() })),
  nodeSelector: z.nullish(z.record(z.string(), z.string())),
})
const Agents = z.object({
  items: z.array(
    z.looseObject({
      metadata: Metadata,
      spec: PodTemplate,
      status: z.looseObject({ containerStatuses: z.optional(z.array(ContainerStatus)) }),
    }),
  ),
})
const DaemonSets = z.object({
  items: z.array(
    z.looseObject({
      metadata: Metadata,
      spec: z.looseObject({ template: z.looseObject({ spec: PodTemplate }) }),
    }),
  ),
})
const Events = z.object({ items: z.array(z.looseObject({ message: z.nullish(z.string()) })) })

/** Returns why the pod is not routed; `not_needed` for one that is, which needs the agent no more. */
export async function checkNodeAgent(options: NodeAgentOptions): Promise<Finding> {
  const { kubectl, cluster, name, scope, sidecar } = options
  const check = 'node_agent'
  if (findStatus(cluster, sidecar)?.started === true) {
    return notNeeded(check, 'the pod was routed: the start-up probe of its sidecar has passed')
  }
  const node = cluster.node
  if (node === undefined) return notChecked(check, 'the pod has no node yet')
  const agents = await getAll(kubectl, Agents, [
    'pods',
    '--all-namespaces',
    SELECTOR,
    `--field-selector=spec.nodeName=${node}`,
  ])
  if (typeof agents === 'string') return notChecked(check, `the agents were not read: ${agents}`)
  // During a rollout a node has two.
  const found = agents.items.filter(({ spec }) => isAgent(spec))
  const agent = found.find((each) => findContainer(each)?.state?.running !== undefined) ?? found[0]
  if (agent === undefined) return failed(check, await createMissingFailure(kubectl, node))
  const subject = `${agent.metadata.namespace}/${agent.metadata.name}`
  const logs = `kubectl logs --namespace ${agent.metadata.namespace} ${agent.metadata.name}`
  const status = findContainer(agent)
  if (status?.state?.running === undefined) {
    const { reason = 'no status yet' } = status?.state?.waiting ?? status?.state?.terminated ?? {}
    return failed(
      check,
      createFailure(
        'node_agent_not_running',
        `the node agent ${subject} on the node ${node} does not run (${reason})`,
        `see why: kubectl describe pod --namespace ${agent.metadata.namespace} ${agent.metadata.name}, and ${logs} --previous`,
      ),
    )
  }
  const events = await getAll(kubectl, Events, [
    'events',
    ...scope,
    '--sort-by=.lastTimestamp',
    `--field-selector=involvedObject.name=${name},reason=WimdsNotRouted`,
  ])
  const text = typeof events === 'string' ? undefined : events.items.at(-1)?.message
  const reason = scrubAndTruncate(text ?? '', MAX_MESSAGE)
  return failed(
    check,
    createFailure(
      'pod_not_routed',
      reason === ''
        ? `the node agent ${subject} runs on the node ${node}, and has not routed the pod yet`
        : `the node agent ${subject} on the node ${node} cannot route the pod: ${reason}`,
      reason === ''
        ? `see its log: ${logs}. A pod that has just got its address is routed within seconds`
        : `see also its log: ${logs}`,
    ),
  )
}

const isAgent = ({ containers }: z.infer<typeof PodTemplate>) =>
  containers.some((container) => container.name === CONTAINER)

const findContainer = ({ status }: z.infer<typeof Agents>['items'][number]) =>
  status.containerStatuses?.find(({ name }) => name === CONTAINER)

/** Explains it by the DaemonSet: there is none, or it leaves the node out. */
async function createMissingFailure(kubectl: Kubectl, node: string) {
  const sets = await getAll(kubectl, DaemonSets, ['daemonsets', '--all-namespaces', SELECTOR])
  const message = `no node agent runs on the node ${node}, and nothing else routes a pod of mode node`
  if (typeof sets === 'string') {
    return createFailure(
      'node_agent_missing',
      `${message}; its DaemonSet was not read: ${sets}`,
      `see whether it is installed, as a user who may list DaemonSets (kubectl get daemonsets --all-namespaces ${SELECTOR}), or choose another mode: the annotation wimds.io/mode`,
    )
  }
  const set = sets.items.find(({ spec }) => isAgent(spec.template.spec))
  if (set === undefined) {
    return createFailure(
      'node_agent_missing',
      message,
      'install it (helm upgrade with --set nodeAgent.enabled=true; docs/node-agent.md), or choose another mode: the annotation wimds.io/mode',
    )
  }
  const { metadata, spec } = set
  const selector = Object.entries(spec.template.spec.nodeSelector ?? {})
  const labels = selector.map(([key, value]) => `${key}=${value}`).join(',') || 'none'
  return createFailure(
    'node_agent_missing',
    `${message}; the DaemonSet ${metadata.namespace}/${metadata.name} has no pod there (its nodeSelector: ${labels})`,
    `let it run there (nodeAgent.nodeSelector and nodeAgent.tolerations of the chart), or give the workload the same nodeSelector. kubectl describe daemonset --namespace ${metadata.namespace} ${metadata.name} has its events`,
  )
}

/** Returns the list of `kubectl get`, or why it could not be read. */
async function getAll<T>(
  kubectl: Kubectl,
  schema: z.ZodMiniType<T>,
  args: readonly string[],
): Promise<T | string> {
  const result = await kubectl(['get', ...args, '--output=json'])
  if (!result.ran) return result.failure.problem
  if (result.code !== 0) return extractReason(result.stderr)
  const { data } = schema.safeParse(parseJson(result.stdout))
  return data ?? 'kubectl printed something other than a list'
}
