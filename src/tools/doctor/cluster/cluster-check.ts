/** Checks an installation of wimds, with all pods that use it: one function for each check. */
import * as z from 'zod/mini'
import { INJECTION_DEFAULTS } from '../../../injection/injector/injection-settings.ts'
import { GATE, SIDECAR } from '../../../kubernetes/pod.ts'
import { firstItems } from '../../../lib/printable.ts'
import type { CheckName, Sections } from '../doctor-report.ts'
import { reachCluster } from '../cluster-checks.ts'
import {
  createSamplePod,
  createSampleSpec,
  findRefusal,
  OWN_WEBHOOK,
  tryToCreate,
} from '../dry-run.ts'
import { failed, notChecked, notNeeded, type Outcome, passed, runCheck } from '../findings.ts'
import { type Kubectl, parseOutput } from '../kubectl.ts'
import { findComponent, findContainer, isReady, listPodNames } from '../pod-object.ts'
import { type ClusterState, type Deployment, readClusterState } from './cluster-state.ts'
import { checkInjectedPods } from './injected-pods-check.ts'

type Check = (state: ClusterState, kubectl: Kubectl) => Outcome | Promise<Outcome>

/** The checks, in the order of the report. */
const CHECKS: readonly (readonly [CheckName, Check])[] = [
  ['installation', checkInstallation],
  ['webhook', checkWebhook],
  ['node_agent', checkAgents],
  ['injected_pods', checkInjectedPods],
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
    const [policy, { length: agents }] = [await state.getPolicy(), await state.getDaemonSets()]
    if (policy !== undefined) {
      return passed(`by the MutatingAdmissionPolicy ${policy.metadata.name}, without a webhook`)
    }
    const [found, fix] =
      agents === 0
        ? ['', 'install the chart']
        : ['a node agent, but ', 'install the chart again (helm upgrade), which creates it']
    return failed({
      code: 'not_installed',
      problem: `there is ${found}neither the webhook of wimds nor its MutatingAdmissionPolicy, so no pod is injected`,
      fix: `${fix}; if manifests are injected by wimds inject, nothing else needs to be installed`,
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

const Created = z.object({
  spec: z.object({ initContainers: z.optional(z.array(z.object({ name: z.string() }))) }),
})

/** Checks by the dry run of a pod that the webhook injects. A rejection by the webhook itself shows that it answers. */
async function checkWebhook(state: ClusterState, kubectl: Kubectl): Promise<Outcome> {
  const configuration = await state.getConfiguration()
  if (configuration === undefined) return notNeeded('there is no webhook')
  const [webhook] = configuration.webhooks ?? []
  const service = webhook?.clientConfig.service
  if (service === undefined) return notChecked('the configuration names no Service')
  const { namespace } = service
  // The ServiceAccount of `helm test` has an identity that does not exist.
  const serviceAccountName = `${service.name}-test`
  const annotations = { 'wimds.io/inject': 'true', 'wimds.io/mode': 'env' }
  const image = (await state.getFlag('image')) ?? INJECTION_DEFAULTS.image
  const spec = { ...createSampleSpec(image), serviceAccountName }
  const pod = createSamplePod(spec, { namespace, annotations })
  const result = await tryToCreate(kubectl, pod)
  if (result.code === 0) {
    const created = parseOutput(Created, result)
    if (created?.spec.initContainers?.some((each) => each.name === SIDECAR) === true) {
      return passed(`injects a pod in the namespace ${namespace} (dry run)`)
    }
    const isReviewed = (await state.getReviewedNamespaces())?.has(namespace) === true
    if (webhook?.failurePolicy !== 'Ignore' || !isReviewed) {
      return notChecked(`it reviews no pod of the namespace ${namespace}`)
    }
    return failed({
      code: 'webhook_unavailable',
      problem: `the API server admits a pod of the namespace ${namespace} without the sidecar that it asks for: it does not reach the webhook, and failurePolicy is Ignore`,
      fix: REACH,
    })
  }
  const refusal = findRefusal(result, 'a pod that asks for a sidecar')
  if (refusal === undefined || !OWN_WEBHOOK.test(refusal.name)) {
    const { reason } = result
    return notChecked(refusal?.fault.problem ?? reason)
  }
  const { code, problem } = refusal.fault
  if (problem.includes('could not read the ServiceAccount')) {
    return failed({ code, problem, fix: `${READ} kubectl logs -n ${namespace} -l ${OF_WEBHOOK}` })
  }
  if (problem.includes('cannot be injected')) return passed(`answers the API server: ${problem}`)
  if (code === 'pod_not_admitted') return notChecked(problem)
  return failed(
    problem.includes('x509')
      ? { code: 'webhook_certificate_invalid', problem, fix: RENEW }
      : { code, problem, fix: REACH },
  )
}

const OF_WEBHOOK = 'app.kubernetes.io/component=webhook'

const READ =
  'let the ServiceAccount of the webhook get serviceaccounts (helm upgrade restores its ClusterRole), until when it denies every pod; its log has more:'

const REACH =
  'let the API server reach the port of the webhook (a firewall, a network policy, the address of its Service), with replicas that are ready'

const RENEW =
  'read in the log of the webhook why it does not renew the certificate; with certificates.source cert-manager or secret, look at its Certificate or Secret, and at the CA in certificates.caBundle of the chart'

/** Checks that every node with a pod of mode node has an agent that is ready. */
async function checkAgents(state: ClusterState): Promise<Outcome> {
  const [daemonSets, pods] = await Promise.all([state.getDaemonSets(), state.getPods()])
  const served = pods.filter((pod) => findContainer(pod, GATE))
  if (daemonSets.length === 0 && served.length === 0) return notNeeded('no pod is of mode node')
  const agents = pods.filter((pod) => findComponent(pod) === 'node-agent')
  const ready = new Set(agents.filter(isReady).map(({ spec }) => spec.nodeName))
  // A pod that waits for a node has none; without a DaemonSet no node will have an agent.
  const lost = served.filter(({ spec: { nodeName } }) =>
    nodeName ? !ready.has(nodeName) : daemonSets.length === 0,
  )
  const nodes = new Set(lost.map(({ spec }) => spec.nodeName || 'any node'))
  const need =
    served.length === 0
      ? 'no pod needs them'
      : `pods of mode node need them: ${listPodNames(served)}`
  if (lost.length > 0) {
    return failed(
      {
        code: 'node_agent_not_running',
        problem: `no agent is ready on ${firstItems([...nodes]).join(', ')}, where pods need one: ${listPodNames(lost)}`,
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
