/** Checks an installation of wimds, with all pods that use it: one function for each check. */
import { parseAnnotations } from '../../../injection/injector/annotations.ts'
import { allContainers, type Container, GATE, SIDECAR } from '../../../kubernetes/pod.ts'
import { firstItems } from '../../../lib/printable.ts'
import type { CheckName, Sections } from '../doctor-report.ts'
import { checkLocalRedirect, reachCluster } from '../cluster-checks.ts'
import { failed, notNeeded, type Outcome, passed, runCheck } from '../findings.ts'
import type { Kubectl } from '../kubectl.ts'
import { type ClusterPod, findContainer, formatPod, isReady } from '../pod-object.ts'
import { type ClusterState, type Deployment, readClusterState } from './cluster-state.ts'
import { checkWebhook } from './webhook-check.ts'

type Check = (state: ClusterState, kubectl: Kubectl) => Outcome | Promise<Outcome>

/** The checks, in the order of the report. */
const CHECKS: readonly (readonly [CheckName, Check])[] = [
  ['installation', checkInstallation],
  ['webhook', checkWebhook],
  ['node_agent', checkAgents],
  ['injected_pods', checkInjectedPods],
  ['images', checkImages],
  ['local_redirect', (_, kubectl) => checkLocalRedirect(kubectl)],
]

/** Returns the checks. A check that fails is reported, not thrown. */
export async function checkCluster(kubectlOfUser: Kubectl): Promise<Sections> {
  const { server, kubectl } = await reachCluster(kubectlOfUser)
  const state = readClusterState(kubectl)
  const findings = CHECKS.map(([name, check]) => runCheck(name, () => check(state, kubectl)))
  return { checks: [server, ...(await Promise.all(findings))] }
}

/** Checks that the chart is installed, and that the replicas of its webhook are ready. */
async function checkInstallation(state: ClusterState): Promise<Outcome> {
  const configuration = await state.getConfiguration()
  if (configuration === undefined) {
    const daemonSets = await state.getDaemonSets()
    return daemonSets.length > 0
      ? passed('by an admission policy, without a webhook')
      : failed({
          code: 'not_installed',
          problem: 'there is neither the webhook of wimds nor a node agent',
          fix: 'install the chart; if manifests are injected by wimds inject, nothing needs to be installed',
        })
  }
  const deployment = await state.getDeployment()
  if (deployment !== undefined) return checkReplicas(deployment)
  const { name } = configuration.metadata
  return failed({
    code: 'webhook_not_ready',
    problem: `the MutatingWebhookConfiguration ${name} is left over: its Deployment does not exist`,
    fix: `install the chart again, or kubectl delete mutatingwebhookconfiguration ${name}`,
  })
}

function checkReplicas({ metadata, spec, status }: Deployment): Outcome {
  const { name, namespace = '', labels = {} } = metadata
  const { replicas = 1 } = spec
  const { readyReplicas: ready = 0 } = status
  const version = labels['app.kubernetes.io/version'] ?? 'unknown'
  const text = `version ${version}, ${ready} of ${replicas} replicas of ${namespace}/${name} are ready`
  const fix = `see why: kubectl describe pods -n ${namespace} -l app.kubernetes.io/component=webhook`
  if (ready === 0) return failed({ code: 'webhook_not_ready', problem: text, fix })
  return { ...passed(text), warnings: ready < replicas ? [`Fix: ${fix}`] : [] }
}

/** Checks that every node with a pod of mode node has an agent that is ready. */
async function checkAgents(state: ClusterState): Promise<Outcome> {
  const [daemonSets, pods] = await Promise.all([state.getDaemonSets(), state.getPods()])
  const served = pods.filter((pod) => findContainer(pod, GATE))
  if (daemonSets.length === 0 && served.length === 0) return notNeeded('no pod is of mode node')
  const agents = pods.filter((pod) => findComponent(pod) === 'node-agent')
  const ready = new Set(agents.filter(isReady).map(({ spec }) => spec.nodeName))
  const lost = served.filter(({ spec: { nodeName } }) => nodeName && !ready.has(nodeName))
  const nodes = new Set(lost.flatMap(({ spec }) => spec.nodeName ?? []))
  const need =
    served.length === 0 ? 'no pod needs them' : `pods of mode node need them: ${list(served)}`
  if (nodes.size > 0) {
    return failed(
      {
        code: 'node_agent_not_running',
        problem: `no agent is ready on ${firstItems([...nodes]).join(', ')}, where pods need one: ${list(lost)}`,
        fix: 'let an agent run there: kubectl get pods --all-namespaces -o wide -l app.kubernetes.io/component=node-agent. If the agent was uninstalled, these pods get no tokens until it is back, or until they are created again in another mode',
      },
      need,
    )
  }
  const counts = daemonSets.map(
    ({ status: { numberReady, desiredNumberScheduled } }) =>
      `${numberReady} of ${desiredNumberScheduled} agents are ready`,
  )
  const isPartial = daemonSets.some(
    ({ status }) => status.numberReady < status.desiredNumberScheduled,
  )
  return {
    ...passed(counts.join(', '), need),
    warnings: isPartial ? ['pods of mode node wait on the other nodes'] : [],
  }
}

/** Returns the component of the chart that the pod is. */
function findComponent({ metadata: { labels } }: ClusterPod): string | undefined {
  return labels?.['app.kubernetes.io/component']
}

/** Returns the containers that an injection adds for tokens: sidecars and gates. */
function findInjected(pod: ClusterPod): Container[] {
  return allContainers(pod).filter(({ name }) => name === SIDECAR || name === GATE)
}

/** Checks that each pod that is to be injected is. */
async function checkInjectedPods(state: ClusterState): Promise<Outcome> {
  const [pods, namespaces] = await Promise.all([state.getPods(), state.getNamespaces()])
  const { injected = [], others = [] } = Object.groupBy(pods, (pod) =>
    findInjected(pod).length > 0 ? 'injected' : 'others',
  )
  const missing = others.filter((pod) => {
    const { inject = namespaces.get(pod.metadata.namespace) } = parseAnnotations(pod)
    return inject === true && !OWN.has(findComponent(pod) ?? '')
  })
  const used = new Set(injected.map(({ metadata }) => metadata.namespace))
  const warnings = [...namespaces].flatMap(([name, isLabelled]) =>
    isLabelled && !used.has(name)
      ? `namespace ${name} has the injection label but no injected pod`
      : [],
  )
  const count = `${injected.length} injected`
  if (missing.length === 0) return { ...passed(count), warnings }
  const fault = {
    code: 'pod_not_injected',
    problem: `these pods should have a sidecar, but have none: ${list(missing)}`,
    fix: 'create them again (kubectl rollout restart), since the webhook injects pods when they are created',
  } as const
  return { ...failed(fault, count), warnings }
}

/** The components of the chart, which start without the webhook. */
const OWN = new Set(['webhook', 'node-agent', 'test'])

/** Warns of sidecars with another image than the webhook injects now. */
async function checkImages(state: ClusterState): Promise<Outcome> {
  const [deployment, pods] = await Promise.all([state.getDeployment(), state.getPods()])
  if (deployment === undefined) return notNeeded('there is no webhook to compare them with')
  const args = deployment.spec.template.spec.containers.flatMap(({ args: each = [] }) => each)
  const expected = args.flatMap((arg) => /^--(?:gate-)?image=(.+)$/.exec(arg)?.[1] ?? [])
  const images = pods.flatMap((pod) =>
    findInjected(pod).map((container) => ({ pod, image: String(container['image']) })),
  )
  const others = images.filter(({ image }) => !expected.includes(image))
  const warnings = [...Map.groupBy(others, ({ image }) => image)].map(
    ([image, group]) =>
      `${image}, where the webhook injects ${expected.join(' and ')}: ${list(group.map(({ pod }) => pod))}`,
  )
  return {
    ...passed(
      `${images.length - others.length} of ${images.length} have the image that the webhook injects`,
    ),
    warnings,
  }
}

function list(pods: readonly ClusterPod[]): string {
  return firstItems(pods.map(formatPod), 10).join(', ')
}
