/** Checks that the agent of its node serves a pod of mode `node`, and reads its status; else explains by its events why not. */
import * as z from 'zod/mini'
import { GATE } from '../../../kubernetes/pod.ts'
import { parseJson } from '../../../lib/json.ts'
import { scrubAndTruncate } from '../../../lib/scrub.ts'
import { failed, notChecked, type Outcome, passed } from '../findings.ts'
import { getItems, isRead, type Kubectl } from '../kubectl.ts'
import { type ServedStatus, readServedStatus } from './served-pod-check.ts'
import { type ClusterPod, findStatus, getPods, OF_AGENT } from '../pod-object.ts'
import type { ForwardPort } from './port-forward.ts'

interface NodeAgentOptions {
  /** Runs in the namespace of the pod. */
  readonly kubectl: Kubectl
  readonly forwardPort: ForwardPort
  readonly cluster: ClusterPod
  /** True if its gate has ended: the broker has answered for the pod. */
  readonly isServed: boolean
}

interface NodeAgentCheck {
  readonly outcome: Outcome
  /** The status of the pod in the broker, or why it was not read. */
  readonly status: ServedStatus | { readonly reason: string }
}

/** The chart's name for the container. */
const CONTAINER = 'wimds-node-agent'
const MAX_MESSAGE = 600
/** Where the agent listens by default. */
const ADMIN_PORT = 9441
const NOT_SERVED = { reason: 'the pod is not served' }

const Event = z.looseObject({ message: z.nullish(z.string()) })

/** Returns whether the agent of its node serves the pod, and why not. */
export async function checkNodeAgent(options: NodeAgentOptions): Promise<NodeAgentCheck> {
  const agent = await findAgent(options)
  if ('outcome' in agent) return { ...agent, status: NOT_SERVED }
  const { cluster, isServed, forwardPort } = options
  const pod = `${cluster.namespace}/${cluster.name}`
  const status = isServed ? await readServedStatus(forwardPort, { ...agent, pod }) : 'unserved'
  if (status === 'unserved') {
    return { outcome: await explainUnserved(agent, options), status: NOT_SERVED }
  }
  const { object, port } = agent
  const page = `kubectl port-forward ${object} ${port}, and open http://127.0.0.1:${port}/status`
  const verb = 'reason' in status ? 'runs' : 'serves the pod'
  return { outcome: passed(`${agent.subject} ${verb}`, `status of its pods: ${page}`), status }
}

/** An agent that runs. */
interface Agent {
  readonly namespace: string
  readonly name: string
  /** The port with the status of its pods. */
  readonly port: number
  /** For a sentence. */
  readonly subject: string
  /** For a command of kubectl. */
  readonly object: string
  readonly isReady: boolean
}

/** Finds the agent on the node of the pod; returns an outcome if none runs there. */
async function findAgent({
  kubectl,
  cluster: { node },
}: NodeAgentOptions): Promise<Agent | Pick<NodeAgentCheck, 'outcome'>> {
  if (node === undefined) return { outcome: notChecked('the pod has no node yet') }
  const onNode = `--field-selector=spec.nodeName=${node}`
  const pods = await getPods(kubectl, '--all-namespaces', OF_AGENT, onNode)
  if (!isRead(pods)) return { outcome: notChecked(`the agents were not read: ${pods.unread}`) }
  const agent = chooseAgent(pods.filter(isAgent))
  if (agent === undefined) {
    const outcome = failed({
      code: 'node_agent_missing',
      problem: `no node agent runs on the node ${node}, and nothing else serves a pod of mode node`,
      fix: `install it (nodeAgent.enabled=true of the chart), or let it run there (nodeAgent.nodeSelector, nodeAgent.tolerations): kubectl get daemonsets --all-namespaces ${OF_AGENT}. Or choose another mode: the annotation wimds.io/mode`,
    })
    return { outcome }
  }
  const { namespace, name } = agent
  const object = `--namespace ${namespace} ${name}`
  const subject = `the node agent ${namespace}/${name} on the node ${node}`
  const status = findStatus(agent, CONTAINER)
  if (status?.state?.running === undefined) {
    const { reason = 'no status yet' } = status?.state?.waiting ?? status?.state?.terminated ?? {}
    const outcome = failed({
      code: 'node_agent_not_running',
      problem: `${subject} does not run (${reason})`,
      fix: `see why: kubectl describe pod ${object}, and kubectl logs ${object} --previous`,
    })
    return { outcome }
  }
  const { ready: isReady = false } = status
  return { namespace, name, subject, object, isReady, port: findStatusPort(agent) }
}

async function explainUnserved(
  agent: Agent,
  { kubectl, cluster }: NodeAgentOptions,
): Promise<Outcome> {
  const { namespace, name } = cluster
  const { subject, object, isReady } = agent
  const reason = await readLastEvent(kubectl, name)
  const { state, lastState } = findStatus(cluster, GATE) ?? {}
  const started = state?.running ?? state?.terminated ?? lastState?.terminated
  if (isReady && reason === '' && started === undefined) {
    return failed({
      code: 'pod_not_routed',
      problem: `${subject} has nothing to serve yet, since the gate of the pod has not started`,
      fix: `see why in the events of the pod, such as a volume that is missing: kubectl describe pod --namespace ${namespace} ${name}`,
    })
  }
  if (reason !== '') {
    return failed({
      code: 'pod_not_routed',
      problem: `${subject} cannot serve the pod: ${reason}`,
      fix: `see also its log: kubectl logs ${object}`,
    })
  }
  const complaint = await readComplaint(kubectl, agent)
  const said = complaint === '' ? '' : `; its log says: ${complaint}`
  return isReady
    ? failed({
        code: 'pod_not_routed',
        problem: `${subject} runs, and does not serve the pod yet${said}`,
        fix: `see its log: kubectl logs ${object}. A pod whose sandbox has just been created is served within seconds`,
      })
    : failed({
        code: 'node_agent_not_running',
        problem: `${subject} is not ready, so it serves no new pod${said}`,
        fix: `see why: kubectl logs ${object}, and kubectl describe pod ${object}`,
      })
}

/** Returns why the agent could not serve the pod; empty if it has not said. */
async function readLastEvent(kubectl: Kubectl, pod: string): Promise<string> {
  const ofPod = `--field-selector=involvedObject.name=${pod},reason=WimdsNotRouted`
  const events = await getItems(kubectl, Event, 'events', '--sort-by=.lastTimestamp', ofPod)
  const message = isRead(events) ? events.at(-1)?.message : undefined
  return scrubAndTruncate(message ?? '', MAX_MESSAGE)
}

/** The warnings and errors of a log. */
const Complaint = z.looseObject({
  level: z.enum(['warn', 'error', 'fatal']),
  event: z.optional(z.string()),
  message: z.optional(z.string()),
})

/** Returns the last warning or error in the log of the agent, such as that it may not list pods; empty if there is none. */
async function readComplaint(kubectl: Kubectl, { namespace, name }: Agent): Promise<string> {
  const of = [`--namespace=${namespace}`, `--container=${CONTAINER}`, '--tail=200']
  const { stdout } = await kubectl(['logs', name, ...of])
  const complaints = stdout.split('\n').flatMap((line) => {
    const { data } = Complaint.safeParse(parseJson(line))
    return data?.message ?? data?.event ?? []
  })
  return scrubAndTruncate(complaints.at(-1) ?? '', MAX_MESSAGE)
}

/** Returns the agent to ask, of two during a rollout. In this order: it runs, is not being deleted, is ready, is newer. */
function chooseAgent(agents: readonly ClusterPod[]): ClusterPod | undefined {
  return agents.toSorted((a, b) => formatOrder(b).localeCompare(formatOrder(a)))[0]
}

function formatOrder(agent: ClusterPod): string {
  const { state, ready = false } = findStatus(agent, CONTAINER) ?? {}
  const flags = [state?.running !== undefined, !agent.isBeingDeleted, ready]
  return [...flags.map(Number), agent.createdAt].join(' ')
}

/** Returns true for an agent. Any pod may have its label and name, but few may mount a directory of the node. */
function isAgent(agent: ClusterPod): boolean {
  const { volumes } = agent.pod.spec
  return findContainer(agent) !== undefined && volumes?.some((each) => each['hostPath']) === true
}

function findContainer({ pod }: ClusterPod) {
  return pod.spec.containers.find(({ name }) => name === CONTAINER)
}

/** Returns the port of the agent or, of one before version 0.2 of the chart, of its broker. */
function findStatusPort(agent: ClusterPod): number {
  const args = [findContainer(agent)?.['args'] ?? []].flat().map(String)
  const findPort = (flag: RegExp) => args.flatMap((arg) => flag.exec(arg)?.[1] ?? [])[0]
  const port = findPort(/^--broker-admin-listen=.*:(\d+)$/) ?? findPort(/^--admin-listen=.*:(\d+)$/)
  return port === undefined ? ADMIN_PORT : Number(port)
}
