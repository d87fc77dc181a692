/** Checks that the agent of its node serves a pod of mode `node`, and reads its status; else explains by its events why not. */
import * as z from 'zod/mini'
import { GATE } from '../../../kubernetes/pod.ts'
import { parseJson } from '../../../lib/json.ts'
import type { Sections } from '../doctor-report.ts'
import {
  catchEnd,
  CheckEnd,
  endAsFailed,
  endUnmade,
  failed,
  leaveOut,
  notChecked,
  type Outcome,
  passed,
  runCheck,
} from '../findings.ts'
import type { Kubectl } from '../kubectl.ts'
import {
  chooseNewest,
  type ClusterPod,
  findContainer,
  findStatus,
  formatPod,
  getPods,
  OF_AGENT,
  readEvents,
} from '../pod-object.ts'
import { checkStatus, STATUS_CHECKS } from '../status-checks.ts'
import type { ReadForwarded } from './port-forward.ts'

interface NodeAgentOptions {
  /** Runs in the namespace of the pod. */
  readonly kubectl: Kubectl
  readonly readForwarded: ReadForwarded
  readonly pod: ClusterPod
  /** True if its gate has ended: the broker has answered for the pod. */
  readonly isServed: boolean
}

/** The chart's name for the container. */
const CONTAINER = 'wimds-node-agent'
/** Where the agent listens by default. */
const ADMIN_PORT = 9441

/** Returns whether the agent of its node serves the pod, or why not, and then the checks that the pod's status allows. */
export async function checkNodeAgent(options: NodeAgentOptions): Promise<Sections> {
  const { kubectl, readForwarded, pod, isServed } = options
  let ofPod: Sections = { checks: leaveOut(STATUS_CHECKS, notChecked('the pod is not served')) }
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
      : { checks: leaveOut(STATUS_CHECKS, status.outcome) }
    return passed(
      `${formatSubject(agent)} ${isRead ? 'serves the pod' : 'runs'}`,
      `status of its pods: kubectl port-forward ${formatArguments(agent)} ${port}, and open http://127.0.0.1:${port}/status`,
    )
  })
  return { ...ofPod, checks: [ofAgent, ...ofPod.checks] }
}

/** Returns the agent for a sentence. */
function formatSubject(agent: ClusterPod): string {
  return `the node agent ${formatPod(agent)} on the node ${agent.spec.nodeName}`
}

/** Returns the agent for a command of kubectl. */
function formatArguments({ metadata: { namespace, name } }: ClusterPod): string {
  return `--namespace ${namespace} ${name}`
}

/** Returns the agent that runs on the node. Ends the check if none does. */
async function findAgent(kubectl: Kubectl, node: string | undefined): Promise<ClusterPod> {
  if (node === undefined) return endUnmade('the pod has no node yet')
  const onNode = `--field-selector=spec.nodeName=${node}`
  const pods = await getPods(kubectl, '--all-namespaces', OF_AGENT, onNode)
  // During a rollout a node has two agents; the newest one is asked.
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

async function explainUnserved(
  agent: ClusterPod,
  { kubectl, pod }: NodeAgentOptions,
): Promise<Outcome> {
  const subject = formatSubject(agent)
  const logs = `kubectl logs ${formatArguments(agent)}`
  const { ready = false } = findStatus(agent, CONTAINER)
  const reason = await readLastEvent(kubectl, pod.metadata.name)
  if (reason !== '') {
    return failed({
      code: 'pod_not_routed',
      problem: `${subject} cannot serve the pod: ${reason}`,
      fix: `see also its log: ${logs}`,
    })
  }
  const { state, lastState } = findStatus(pod, GATE)
  const started = state?.running ?? state?.terminated ?? lastState?.terminated
  if (ready && started === undefined) {
    return failed({
      code: 'pod_not_routed',
      problem: `${subject} has nothing to serve yet, since the gate of the pod has not started`,
      fix: `see why in the events of the pod, such as a volume that is missing: kubectl describe pod ${formatArguments(pod)}`,
    })
  }
  const complaint = await readComplaint(kubectl, agent)
  const said = complaint === '' ? '' : `; its log says: ${complaint}`
  return ready
    ? failed({
        code: 'pod_not_routed',
        problem: `${subject} runs, but does not serve the pod yet${said}`,
        fix: `see its log: ${logs}. If the pod's sandbox is new, try again in some seconds`,
      })
    : failed({
        code: 'node_agent_not_running',
        problem: `${subject} is not ready, so it serves no new pod${said}`,
        fix: `see why: ${logs}, and kubectl describe pod ${formatArguments(agent)}`,
      })
}

/** Returns why the agent could not serve the pod; empty if it has not said. */
async function readLastEvent(kubectl: Kubectl, pod: string): Promise<string> {
  const events = await readEvents(kubectl, `involvedObject.name=${pod},reason=WimdsNotRouted`)
  return events.at(-1)?.message ?? ''
}

/** The warnings and errors of a log. */
const Complaint = z.looseObject({
  level: z.enum(['warn', 'error', 'fatal']),
  event: z.optional(z.string()),
  message: z.optional(z.string()),
})

/** Returns the last warning or error in the log of the agent, such as that it may not list pods; empty if there is none. */
async function readComplaint(kubectl: Kubectl, { metadata }: ClusterPod): Promise<string> {
  const of = [`--namespace=${metadata.namespace}`, `--container=${CONTAINER}`, '--tail=200']
  const { stdout } = await kubectl(['logs', metadata.name, ...of])
  const complaints = stdout.split('\n').flatMap((line) => {
    const { data } = Complaint.safeParse(parseJson(line))
    return data?.message ?? data?.event ?? []
  })
  return complaints.at(-1) ?? ''
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
