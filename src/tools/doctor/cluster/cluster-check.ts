/** Checks an installation of wimds, with all pods that use it: one function for each check. */
import { parseAnnotations } from '../../../injection/injector/annotations.ts'
import { INJECTION_DEFAULTS } from '../../../injection/injector/injection-settings.ts'
import { allContainers, GATE, SIDECAR } from '../../../kubernetes/pod.ts'
import { firstItems } from '../../../lib/printable.ts'
import type { CheckName, Sections } from '../doctor-report.ts'
import { createFinding, failed, notChecked, notNeeded, type Outcome, passed } from '../findings.ts'
import { isRead, type Kubectl } from '../kubectl.ts'
import { checkLocalRedirect } from '../local-redirect-check.ts'
import type { ClusterPod } from '../pod-object.ts'
import { checkVersion } from '../pre/cluster-checks.ts'
import { checkCertificate } from './certificate-check.ts'
import { type ClusterState, type Deployment, readClusterState } from './cluster-state.ts'
import { checkWebhook } from './webhook-check.ts'

type Check = (state: ClusterState, kubectl: Kubectl) => Outcome | Promise<Outcome>

/** In the order of the report. */
const CHECKS: readonly (readonly [CheckName, Check])[] = [
  ['installation', checkInstallation],
  ['webhook', checkWebhook],
  ['webhook_certificate', checkCertificate],
  ['node_agent', checkAgents],
  ['injected_pods', checkInjectedPods],
  ['images', checkImages],
  ['local_redirect', (_, kubectl) => checkLocalRedirect(kubectl)],
]

/** Returns the checks. A check that fails is reported, not thrown. */
export async function checkCluster(kubectl: Kubectl): Promise<Sections> {
  const version = await checkVersion(kubectl)
  const server = createFinding('api_server', version)
  if (version.status === 'failed' && version.failure?.code !== 'kubernetes_version') {
    const unreached = notChecked('the cluster cannot be reached')
    return { checks: [server, ...CHECKS.map(([name]) => createFinding(name, unreached))] }
  }
  const state = await readClusterState(kubectl)
  const findings = CHECKS.map(async ([name, check]) =>
    createFinding(name, await check(state, kubectl)),
  )
  return { checks: [server, ...(await Promise.all(findings))] }
}

/** Checks that the chart is installed, and that the replicas of its webhook are ready. */
function checkInstallation({ configuration, deployment, daemonSets }: ClusterState): Outcome {
  if (!isRead(configuration)) return notChecked(configuration.unread)
  if (configuration === undefined) {
    if (!isRead(daemonSets)) return notChecked(daemonSets.unread)
    return daemonSets.length > 0
      ? passed('by an admission policy, without a webhook')
      : failed({
          code: 'not_installed',
          problem: 'there is neither the webhook of wimds nor a node agent',
          fix: 'install the chart; if manifests are injected by wimds inject, nothing needs to be installed',
        })
  }
  if (deployment !== undefined && !isRead(deployment)) return notChecked(deployment.unread)
  const { name } = configuration.metadata
  if (deployment === undefined) {
    return failed({
      code: 'webhook_not_ready',
      problem: `the MutatingWebhookConfiguration ${name} is left over: its Deployment does not exist`,
      fix: `install the chart again, or kubectl delete mutatingwebhookconfiguration ${name}`,
    })
  }
  return checkReplicas(deployment)
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
function checkAgents({ daemonSets, pods }: ClusterState): Outcome {
  if (!isRead(daemonSets)) return notChecked(daemonSets.unread)
  if (!isRead(pods)) return notChecked(pods.unread)
  const served = pods.filter(({ pod }) => pod.spec.initContainers?.some(isGate))
  if (daemonSets.length === 0 && served.length === 0) return notNeeded('no pod is of mode node')
  const agents = pods.filter(({ labels }) => labels['app.kubernetes.io/component'] === 'node-agent')
  const ready = new Set(agents.filter(({ isReady }) => isReady).map(({ node }) => node))
  const lost = served.filter(({ node }) => node !== undefined && !ready.has(node))
  const nodes = new Set(lost.flatMap(({ node }) => node ?? []))
  const need =
    served.length === 0 ? 'no pod needs them' : `pods of mode node need them: ${list(served)}`
  if (nodes.size > 0) {
    return failed(
      {
        code: 'node_agent_not_running',
        problem: `no agent is ready on ${firstItems([...nodes]).join(', ')}, where pods need one: ${list(lost)}`,
        fix: 'let it run there: kubectl get pods --all-namespaces -o wide -l app.kubernetes.io/component=node-agent. An agent that was uninstalled leaves these pods without tokens until it is back, or they are created again in another mode',
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

const isGate = ({ name }: { readonly name: string }) => name === GATE
const isSidecar = ({ name }: { readonly name: string }) => name === SIDECAR || name === GATE

/** Checks that each pod that is to be injected is. */
function checkInjectedPods({ pods, namespaces }: ClusterState): Outcome {
  if (!isRead(pods)) return notChecked(pods.unread)
  if (!isRead(namespaces)) return notChecked(namespaces.unread)
  const isLabelled = (name: string) => namespaces.get(name)?.['wimds.io/inject'] === 'true'
  const wanted = pods.filter(({ pod, namespace, labels }) => {
    const { inject = isLabelled(namespace) } = parseAnnotations(pod, INJECTION_DEFAULTS)
    return inject && !OWN.has(labels['app.kubernetes.io/component'] ?? '')
  })
  const missing = wanted.filter(({ pod }) => !allContainers(pod).some(isSidecar))
  const injected = pods.filter(({ pod }) => allContainers(pod).some(isSidecar))
  const empty = [...namespaces.keys()].filter(
    (name) => isLabelled(name) && !injected.some(({ namespace }) => namespace === name),
  )
  const warnings = empty.map((name) => `the namespace ${name} has the label, and no injected pod`)
  const count = `${injected.length} injected`
  if (missing.length === 0) return { ...passed(count), warnings }
  const fault = {
    code: 'pod_not_injected',
    problem: `these pods are to have a sidecar and have none: ${list(missing)}`,
    fix: 'create them again (kubectl rollout restart), since the webhook injects pods when they are created',
  } as const
  return { ...failed(fault, count), warnings }
}

/** The components of the chart, which start without the webhook. */
const OWN = new Set(['webhook', 'node-agent', 'test'])

/** Warns of sidecars with another image than the webhook injects now. */
function checkImages({ pods, deployment }: ClusterState): Outcome {
  if (deployment === undefined) return notNeeded('there is no webhook to compare them with')
  if (!isRead(deployment)) return notChecked(deployment.unread)
  if (!isRead(pods)) return notChecked(pods.unread)
  const args = deployment.spec.template.spec.containers.flatMap(({ args: each = [] }) => each)
  const expected = args.flatMap((arg) => /^--(?:gate-)?image=(.+)$/.exec(arg)?.[1] ?? [])
  const images = pods.flatMap((pod) =>
    allContainers(pod.pod)
      .filter(isSidecar)
      .map((container) => ({ pod, image: String(container['image']) })),
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

function list(pods: readonly Pick<ClusterPod, 'namespace' | 'name'>[]): string {
  const titles = pods.map(({ namespace, name }) => `${namespace}/${name}`)
  return firstItems(titles, 10).join(', ')
}
