/** Checks an installation of wimds, with all pods that use it: one function for each check. */
import * as z from 'zod/mini'
import { INJECTION_DEFAULTS } from '../../../injection/injector/injection-settings.ts'
import { GATE, SIDECAR } from '../../../kubernetes/pod.ts'
import { parseJson } from '../../../lib/json.ts'
import type { Sections } from '../doctor-report.ts'
import { checkServer } from '../cluster-checks.ts'
import {
  createSamplePod,
  createSampleSpec,
  findRefusal,
  OWN_WEBHOOK,
  tryToCreate,
} from '../dry-run.ts'
import { failed, notChecked, notNeeded, type Outcome, passed, runCheck } from '../findings.ts'
import type { Kubectl } from '../kubectl.ts'
import { findComponent, findContainer, isReady, listPodNames } from '../pod-object.ts'
import { type ClusterState, readClusterState } from './cluster-state.ts'
import { checkInjectedPods } from './injected-pods-check.ts'

/** Returns the checks. A check that fails is reported, not thrown. */
export function checkCluster(kubectl: Kubectl): Promise<Sections> {
  const state = readClusterState(kubectl)
  return checkServer(kubectl, () =>
    Promise.all([
      runCheck('installation', () => checkInstallation(state)),
      runCheck('webhook', () => checkWebhook(state, kubectl)),
      runCheck('node_agent', () => checkAgents(state)),
      runCheck('injected_pods', () => checkInjectedPods(state)),
    ]),
  )
}

/** Checks that the webhook or the policy is installed. The next check shows whether the webhook answers. */
async function checkInstallation(state: ClusterState): Promise<Outcome> {
  const configuration = await state.getConfiguration()
  if (configuration === undefined) {
    const policy = await state.getPolicy()
    if (policy !== undefined) {
      return passed(`by the MutatingAdmissionPolicy ${policy.metadata.name}, without a webhook`)
    }
    return failed({
      code: 'not_installed',
      problem:
        'there is neither the webhook of wimds nor its MutatingAdmissionPolicy, so no pod is injected',
      fix: 'install the chart, or create again what was deleted from it (helm upgrade). If wimds inject injects your manifests, nothing needs to be installed',
    })
  }
  const { name, labels = {} } = configuration.metadata
  if ((await state.getDeployment()) === undefined) {
    return failed({
      code: 'not_installed',
      problem: `the MutatingWebhookConfiguration ${name} is left over: its Deployment does not exist`,
      fix: `install the chart again, or kubectl delete mutatingwebhookconfiguration ${name}`,
    })
  }
  const version = labels['app.kubernetes.io/version'] ?? 'unknown'
  return passed(`version ${version}, by the MutatingWebhookConfiguration ${name}`)
}

const Created = z.object({
  spec: z.object({ initContainers: z.optional(z.array(z.object({ name: z.string() }))) }),
})

/** Checks by a dry run that the webhook injects a pod. A rejection by the webhook itself shows that it answers, too. */
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
  if (typeof result === 'string') {
    const { data: created } = Created.safeParse(parseJson(result))
    if (created?.spec.initContainers?.some((each) => each.name === SIDECAR) === true) {
      return passed(`injects a pod in the namespace ${namespace} (dry run)`)
    }
    if ((await state.getReviewedNamespaces())?.has(namespace) !== true) {
      return notChecked(`it reviews no pod of the namespace ${namespace}`)
    }
    return failed({
      code: 'webhook_unavailable',
      problem: `the API server admits a pod of the namespace ${namespace} without the sidecar that it asks for: the webhook does not answer, and its failurePolicy is Ignore`,
      fix: REACH,
    })
  }
  const refusal = findRefusal(result, 'a pod that asks for a sidecar')
  if (refusal === undefined || !OWN_WEBHOOK.test(refusal.name)) {
    return notChecked(refusal?.fault.problem ?? result.reason)
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
  'let the ServiceAccount of the webhook get serviceaccounts (helm upgrade restores its ClusterRole): until then the webhook denies every pod. Its log has more:'

const REACH =
  'see whether replicas of the webhook are ready (kubectl get pods --all-namespaces -l app.kubernetes.io/component=webhook), and let the API server reach their port (a firewall, a network policy, the address of the Service)'

const RENEW =
  'read in the log of the webhook why it does not renew the certificate. With certificates.source cert-manager or secret, look at the Certificate or Secret, and at the CA in certificates.caBundle of the chart'

/** Checks that every node with a pod of mode node has an agent that is ready. */
async function checkAgents(state: ClusterState): Promise<Outcome> {
  const pods = await state.getPods()
  const agents = pods.filter((pod) => findComponent(pod) === 'node-agent')
  const served = pods.filter((pod) => findContainer(pod, GATE))
  if (agents.length + served.length === 0) {
    return notNeeded('no pod is of mode node, and no node agent runs')
  }
  const unready = agents.filter((agent) => !isReady(agent))
  const nodes = new Set(agents.filter(isReady).map(({ spec }) => spec.nodeName))
  // A pod that is not scheduled yet is lost only if there is no agent at all.
  const lost = served.filter(({ spec: { nodeName } }) =>
    nodeName ? !nodes.has(nodeName) : agents.length === 0,
  )
  if (lost.length > 0) {
    return failed({
      code: 'node_agent_not_running',
      problem: `no agent is ready on the nodes of these pods, which need one: ${listPodNames(lost)}`,
      fix: 'let an agent run there: kubectl get pods --all-namespaces -o wide -l app.kubernetes.io/component=node-agent. If the agent was uninstalled, these pods get no tokens until it is back, or until they are created again in another mode',
    })
  }
  return {
    ...passed(`agents: ${agents.length}, pods of mode node: ${served.length}`),
    warnings:
      unready.length === 0
        ? []
        : [
            `agents are not ready, so new pods of mode node would wait on their nodes: ${listPodNames(unready)}`,
          ],
  }
}
