/** Explains why a pod of mode `node` is not served, by the agent of its node and the events of the pod. */
import * as z from 'zod/mini'
import { scrubAndTruncate } from '../../../lib/secret.ts'
import { failed, notChecked, type Outcome, passed } from '../findings.ts'
import { type Kubectl, parseOutput } from '../kubectl.ts'
import { type ClusterPod, ContainerStatus } from './pod-object.ts'

interface NodeAgentOptions {
  /** Runs in the namespace of the pod. */
  readonly kubectl: Kubectl
  readonly cluster: ClusterPod
  /** The name of the pod. */
  readonly name: string
  /** True if its gate has ended: the broker has answered for the pod. */
  readonly isServed: boolean
}

/** The chart's name for the container, and the label of its objects. */
const CONTAINER = 'wimds-node-agent'
const SELECTOR = '--selector=app.kubernetes.io/component=node-agent'
const MAX_MESSAGE = 600
/** Where the broker listens by default. */
const BROKER_PORT = 9442

const Metadata = z.looseObject({ namespace: z.string(), name: z.string() })
const PodTemplate = z.looseObject({
  containers: z.array(z.looseObject({ name: z.string() })),
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
const Events = z.object({ items: z.array(z.looseObject({ message: z.nullish(z.string()) })) })

/** Returns whether an agent runs on the node of the pod, and why the pod is not served. */
export async function checkNodeAgent(options: NodeAgentOptions): Promise<Outcome> {
  const { kubectl, cluster, name, isServed } = options
  const { node } = cluster
  if (node === undefined) return notChecked('the pod has no node yet')
  const onNode = `--field-selector=spec.nodeName=${node}`
  const agents = await getAll(kubectl, Agents, ['pods', '--all-namespaces', SELECTOR, onNode])
  if (typeof agents === 'string') return notChecked(`the agents were not read: ${agents}`)
  // During a rollout a node has two.
  const found = agents.items.filter(({ spec }) => isAgent(spec))
  const agent = found.find((each) => findContainer(each)?.state?.running !== undefined) ?? found[0]
  if (agent === undefined) {
    return failed({
      code: 'node_agent_missing',
      problem: `no node agent runs on the node ${node}, and nothing else serves a pod of mode node`,
      fix: `install it (nodeAgent.enabled=true of the chart), or let it run there (nodeAgent.nodeSelector, nodeAgent.tolerations): kubectl get daemonsets --all-namespaces ${SELECTOR}. Or choose another mode: the annotation wimds.io/mode`,
    })
  }
  const object = `--namespace ${agent.metadata.namespace} ${agent.metadata.name}`
  const subject = `the node agent ${agent.metadata.namespace}/${agent.metadata.name}`
  const status = findContainer(agent)
  if (status?.state?.running === undefined) {
    const { reason = 'no status yet' } = status?.state?.waiting ?? status?.state?.terminated ?? {}
    return failed({
      code: 'node_agent_not_running',
      problem: `${subject} on the node ${node} does not run (${reason})`,
      fix: `see why: kubectl describe pod ${object}, and kubectl logs ${object} --previous`,
    })
  }
  if (isServed) {
    return passed(
      `${subject} runs on the node ${node}`,
      `status of its pods: kubectl port-forward ${object} ${BROKER_PORT}, and open http://127.0.0.1:${BROKER_PORT}/status`,
    )
  }
  const reason = await readLastEvent(kubectl, name)
  return failed({
    code: 'pod_not_routed',
    ...(reason === ''
      ? {
          problem: `${subject} runs on the node ${node}, and does not serve the pod yet`,
          fix: `see its log: kubectl logs ${object}. A pod whose sandbox has just been created is served within seconds`,
        }
      : {
          problem: `${subject} on the node ${node} cannot serve the pod: ${reason}`,
          fix: `see also its log: kubectl logs ${object}`,
        }),
  })
}

/** Returns why the agent could not serve the pod; empty if it has not said. */
async function readLastEvent(kubectl: Kubectl, pod: string): Promise<string> {
  const ofPod = `--field-selector=involvedObject.name=${pod},reason=WimdsNotRouted`
  const events = await getAll(kubectl, Events, ['events', '--sort-by=.lastTimestamp', ofPod])
  const message = typeof events === 'string' ? undefined : events.items.at(-1)?.message
  return scrubAndTruncate(message ?? '', MAX_MESSAGE)
}

const isAgent = ({ containers }: z.infer<typeof PodTemplate>) =>
  containers.some((container) => container.name === CONTAINER)

const findContainer = ({ status }: z.infer<typeof Agents>['items'][number]) =>
  status.containerStatuses?.find(({ name }) => name === CONTAINER)

/** Returns the list of `kubectl get`, or why it could not be read. */
async function getAll<T>(
  kubectl: Kubectl,
  schema: z.ZodMiniType<T>,
  args: readonly string[],
): Promise<T | string> {
  const result = await kubectl(['get', ...args, '--output=json'])
  return parseOutput(schema, result) ?? result.reason
}
