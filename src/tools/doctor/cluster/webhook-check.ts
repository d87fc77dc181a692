/** Checks that the API server reaches the webhook, by the dry run of a pod that is to be injected. */
import * as z from 'zod/mini'
import { INJECTION_DEFAULTS } from '../../../injection/injector/injection-settings.ts'
import { SIDECAR } from '../../../kubernetes/pod.ts'
import {
  createSamplePod,
  createSampleSpec,
  findRefusal,
  OWN_WEBHOOK,
  tryToCreate,
} from '../dry-run.ts'
import { failed, notChecked, notNeeded, type Outcome, passed } from '../findings.ts'
import { type Kubectl, parseOutput } from '../kubectl.ts'
import type { ClusterState } from './cluster-state.ts'

const Created = z.object({
  spec: z.object({ initContainers: z.optional(z.array(z.object({ name: z.string() }))) }),
})

/** Creates nothing. A rejection by the webhook itself shows that it answers. */
export async function checkWebhook(state: ClusterState, kubectl: Kubectl): Promise<Outcome> {
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
    if (webhook?.failurePolicy !== 'Ignore') {
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
