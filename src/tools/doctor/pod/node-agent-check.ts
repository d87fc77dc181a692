/** Checks that the agent of the node serves a pod of mode `node`. Reads the pod's status, or explains by its events why there is none. */
import type { Sections } from '../doctor-report.ts'
import {
  catchEnd,
  CheckEnd,
  endAsFailed,
  endUnmade,
  createFinding,
  failed,
  type Outcome,
  passed,
  runCheck,
} from '../findings.ts'
import { type Kubectl, list } from '../kubectl.ts'
import {
  chooseNewest,
  ClusterPod,
  findContainer,
  findStatus,
  formatPod,
  readEvents,
} from '../pod-object.ts'
import { checkStatus } from '../status-checks.ts'
import type { ReadForwarded } from './port-forward.ts'

interface NodeAgentOptions {
  /** A kubectl with the namespace of the pod. */
  readonly kubectl: Kubectl
  readonly readForwarded: ReadForwarded
  readonly pod: ClusterPod
  /** True if its gate has ended: the broker has answered for the pod. */
  readonly isServed: boolean
}

/** The name of the agent's container in the chart. */
const CONTAINER = 'wimds-node-agent'
/** The admin port of the agent by default. */
const ADMIN_PORT = 9441

/** Returns the check of the agent, and then the checks of the pod's status, if the agent has it. */
export async function checkNodeAgent(options: NodeAgentOptions): Promise<Sections> {
  const { kubectl, readForwarded, pod, isServed } = options
  let ofPod: Sections = { checks: [] }
  const ofAgent = await runCheck('node_agent', async () => {
    const agent = await findAgent(kubectl, pod.spec.nodeName)
    const { namespace, name } = agent.metadata
    const port = findAdminPort(agent)
    const query = `?pod=${encodeURIComponent(formatPod(pod))}`
    const status = isServed
      ? await catchEnd(() => readForwarded({ namespace, name, port, query }))
      : undefined
    if (status === undefined) return explainUnserved(agent, options)
    const isRead = !(status instanceof CheckEnd)
    ofPod = isRead
      ? { settings: status.settings, checks: checkStatus(status) }
      : { checks: [createFinding('status', status.outcome)] }
    return passed(
      `${formatSubject(agent)} ${isRead ? 'serves the pod' : 'runs'}`,
      `status of its pods: kubectl port-forward ${formatArguments(agent)} ${port}, and open http://127.0.0.1:${port}/status`,
    )
  })
  return { ...ofPod, checks: [ofAgent, ...ofPod.checks] }
}

/** Formats the agent for a sentence. */
function formatSubject(agent: ClusterPod): string {
  return `the node agent ${formatPod(agent)} on the node ${agent.spec.nodeName}`
}

/** Formats the pod as arguments of kubectl. */
function formatArguments({ metadata: { namespace, name } }: ClusterPod): string {
  return `--namespace ${namespace} ${name}`
}

const OF_AGENT = '--selector=app.kubernetes.io/component=node-agent'

/** Returns the agent that runs on the node. Ends the check if none does. */
async function findAgent(kubectl: Kubectl, node: string | undefined): Promise<ClusterPod> {
  if (node === undefined) return endUnmade('the pod has no node yet')
  const onNode = `--field-selector=spec.nodeName=${node}`
  const pods = await list(kubectl, ClusterPod, 'pods', '--all-namespaces', OF_AGENT, onNode)
  // During a rollout a node has two agents. The order of these flags decides between them.
  const agent = chooseNewest(pods.filter(isAgent), (each) => {
    const { state, ready = false } = findStatus(each, CONTAINER)
    return [state?.running !== undefined, each.metadata.deletionTimestamp === undefined, ready]
  })
  if (agent === undefined) {
    return endAsFailed({
      code: 'node_agent_missing',
      problem: `no node agent runs on the node ${node}, but only an agent serves pods of mode node`,
      fix: `install it (nodeAgent.enabled=true of the chart), or let it run there (nodeAgent.nodeSelector, nodeAgent.tolerations): kubectl get daemonsets --all-namespaces ${OF_AGENT}. Or choose another mode: the annotation wimds.io/mode`,
    })
  }
  const { state } = findStatus(agent, CONTAINER)
  if (state?.running !== undefined) return agent
  const { reason = 'no status yet' } = state?.waiting ?? state?.terminated ?? {}
  const object = formatArguments(agent)
  return endAsFailed({
    code: 'node_agent_not_running',
    problem: `${formatSubject(agent)} does not run (${reason})`,
    fix: `see why: kubectl describe pod ${object}, and kubectl logs ${object} --previous`,
  })
}

/** Returns the failure, with the reason that the agent has written to the last event of the pod. */
async function explainUnserved(
  agent: ClusterPod,
  { kubectl, pod }: NodeAgentOptions,
): Promise<Outcome> {
  const fields = `involvedObject.name=${pod.metadata.name},reason=WimdsNotRouted`
  const reason = (await readEvents(kubectl, fields)).at(-1)?.message
  const state = findStatus(agent, CONTAINER).ready === true ? '' : ', which is not ready,'
  return failed({
    code: 'pod_not_routed',
    problem: `${formatSubject(agent)}${state} does not serve the pod${reason ? `: ${reason}` : ' yet'}`,
    fix: `see its log: kubectl logs ${formatArguments(agent)}, and what holds up the pod, such as a missing volume: kubectl describe pod ${formatArguments(pod)}. If the pod is new, try again in some seconds`,
  })
}

/** Returns true for an agent. Any pod may have its label and name, but few may mount a directory of the node. */
function isAgent(agent: ClusterPod): boolean {
  const mountsNode = agent.spec.volumes?.some((each) => each['hostPath']) === true
  return mountsNode && findContainer(agent, CONTAINER) !== undefined
}

/** Returns the admin port of the agent. */
function findAdminPort(agent: ClusterPod): number {
  const args = [findContainer(agent, CONTAINER)?.['args'] ?? []].flat().map(String)
  const [port] = args.flatMap((arg) => /^--admin-listen=.*:(\d+)$/.exec(arg)?.[1] ?? [])
  return port === undefined ? ADMIN_PORT : Number(port)
}
