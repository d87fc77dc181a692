/** Checks by dry runs whether a cluster admits injected pods, the node agent and the webhook. */
import * as z from 'zod/mini'
import { TENANT_ID } from '../../../kubernetes/service-account.ts'
import { inject } from '../../../injection/injector/inject.ts'
import type { InjectionSettings } from '../../../injection/injector/injection-settings.ts'
import type { RoutingMode } from '../../../lib/sidecar-interface.ts'
import { findRefusal, isUndecided, judgeDryRun, tryToCreate } from '../dry-run.ts'
import { endUnmade, failed, notChecked, notNeeded, type Outcome } from '../findings.ts'
import { type Kubectl, parseOutput } from '../kubectl.ts'

const Namespace = z.object({
  metadata: z.object({ labels: z.optional(z.record(z.string(), z.string())) }),
})

const ENFORCE = 'pod-security.kubernetes.io/enforce'

interface AdmissionOptions {
  readonly kubectl: Kubectl
  readonly namespace: string | undefined
  readonly settings: InjectionSettings
}

/**
 * Returns whether the namespace admits an injected pod. The API server decides: that includes its default Pod Security
 * level, policies, quotas and other webhooks, which no label shows.
 */
export async function checkAdmission(options: AdmissionOptions): Promise<Outcome> {
  const { kubectl, namespace, settings } = options
  const { mode } = settings
  const level = namespace === undefined ? [] : await readLevel(kubectl, namespace)
  const { bare, injected } = createSamplePods(settings)
  const result = await tryToCreate(kubectl, injected)
  const outcome = judgeDryRun(result, 'the pod that injection writes', mode, ...level)
  if (outcome.status !== 'failed') return outcome
  const withoutInjection = findRefusal(await tryToCreate(kubectl, bare), mode)
  const isOfInjection = withoutInjection?.by !== findRefusal(result, mode)?.by
  const note = 'the same pod without the injection is refused, too'
  return { ...outcome, details: [...outcome.details, ...(isOfInjection ? [] : [note])] }
}

/** The chart's default of nodeAgent.namespace. */
export const AGENT_NAMESPACE = 'wimds-node-agent'

const PRIVILEGED = 'pod-security.kubernetes.io/enforce=privileged'

/**
 * Returns whether the agent's namespace admits the agent's rights: Pod Security below `privileged` refuses them, and so
 * do many policies. Before that namespace exists, only a policy of the namespace of injected pods can be found.
 */
export async function checkAgentAdmission(kubectl: Kubectl, image: string): Promise<Outcome> {
  const judge = async (...flags: string[]) =>
    judgeDryRun(await tryToCreate(kubectl, createAgentPod(image), ...flags), AGENT_POD, 'node')
  const outcome = await judge(`--namespace=${AGENT_NAMESPACE}`)
  const { failure } = outcome
  if (failure?.problem.includes(`namespaces "${AGENT_NAMESPACE}" not found`) !== true) {
    return failure?.code === 'pod_not_admitted'
      ? failed({ code: failure.code, problem: failure.problem, fix: AGENT_FIX })
      : outcome
  }
  const { problem = '', code } = (await judge()).failure ?? {}
  const isOfPolicy = code === 'pod_not_admitted' && !problem.includes('PodSecurity')
  return notChecked(
    `there is no namespace ${AGENT_NAMESPACE}. To check it before the installation, create it with the label ${PRIVILEGED}, and install with nodeAgent.createNamespace=false`,
    ...(isOfPolicy ? [`in the namespace of injected pods, ${problem}`] : []),
  )
}

const AGENT_POD = 'a pod with the rights of the node agent'
const AGENT_FIX = `label that namespace ${PRIVILEGED}, or exempt it from the policy that is named (on AKS: az aks safeguards update --excluded-ns, with this namespace and all that are excluded already); if it is about images, pass that of your registry (--gate-image)`

/** Returns a pod with the rights of the chart's agent and a directory of the node. */
function createAgentPod(image: string) {
  const securityContext = {
    runAsUser: 0,
    readOnlyRootFilesystem: true,
    seccompProfile: { type: 'RuntimeDefault' },
    capabilities: {
      drop: ['ALL'],
      add: ['SYS_ADMIN', 'NET_ADMIN', 'DAC_READ_SEARCH', 'SETUID', 'SETGID', 'SETPCAP', 'KILL'],
    },
  }
  const resources = { requests: { cpu: '100m', memory: '352Mi' }, limits: { memory: '896Mi' } }
  return createPod({
    containers: [{ name: 'wimds-node-agent', image, resources, securityContext }],
    volumes: [{ name: 'kubelet-pods', hostPath: { path: '/var/lib/kubelet/pods' } }],
  })
}

/** Returns whether a MutatingWebhookConfiguration can be created, as the chart does; managed clusters may forbid it. */
export async function checkWebhookAdmission(kubectl: Kubectl, mode: RoutingMode): Promise<Outcome> {
  const result = await tryToCreate(kubectl, SAMPLE_WEBHOOK)
  if (isUndecided(result)) {
    return notNeeded('you may not create one, which only the chart does: wimds inject needs none')
  }
  const outcome = judgeDryRun(result, 'the webhook of the chart', mode)
  const { failure } = outcome
  if (failure === undefined || failure.code === 'kubectl_failed') return outcome
  return failed({
    code: 'webhook_not_admitted',
    problem: failure.problem,
    fix: 'inject manifests by wimds inject, without the chart; or let the policy that is named allow the MutatingWebhookConfiguration wimds. AKS Automatic blocks mutating webhooks before Kubernetes 1.36',
  })
}

/** A webhook whose selectors match no pod. */
const SAMPLE_WEBHOOK = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingWebhookConfiguration',
  metadata: { name: 'wimds-doctor' },
  webhooks: [
    {
      name: 'doctor.wimds.io',
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      failurePolicy: 'Ignore',
      clientConfig: { service: { namespace: 'wimds-doctor', name: 'wimds-doctor' } },
      rules: [
        { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] },
      ],
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'wimds-doctor' } },
    },
  ],
}

/**
 * Returns a sentence on the Pod Security level; none without permission to read it, since the dry run decides alone. Ends
 * the check as not made if there is no such namespace.
 */
async function readLevel(kubectl: Kubectl, namespace: string): Promise<string[]> {
  const result = await kubectl(['get', 'namespace', namespace, '--output=json'])
  if (result.stderr.includes('(NotFound)')) {
    const reason = `there is no namespace ${namespace}. Create it, or name another one`
    endUnmade(reason)
  }
  const data = parseOutput(Namespace, result)
  if (data === undefined) return []
  const level = data.metadata.labels?.[ENFORCE]
  return [
    level === undefined
      ? `it has no label ${ENFORCE}, so the default of the cluster applies`
      : `its Pod Security level is ${level}`,
  ]
}

const HARDENED = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
}

/**
 * What a LimitRange allows the sidecar, it allows the application. With a limit of CPU above the request: in a Guaranteed
 * pod the sidecar would have other resources.
 */
const RESOURCES = {
  requests: { cpu: '10m', memory: '64Mi' },
  limits: { cpu: '20m', memory: '64Mi' },
}

/** Returns a pod that Pod Security `restricted` admits, and the same injected. Its images are those of the sidecar. */
function createSamplePods(settings: InjectionSettings) {
  const { image } = settings
  const spec = {
    securityContext: {
      runAsUser: 1000,
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [{ name: 'app', image, resources: RESOURCES, securityContext: HARDENED }],
  }
  const injection = inject({
    pod: { metadata: { annotations: { 'wimds.io/inject': 'true' } }, spec },
    serviceAccount: { [TENANT_ID]: ANY_ID },
    settings: { ...settings, clientId: ANY_ID },
  })
  if (injection.kind !== 'injected') throw new Error('the sample pod cannot be injected')
  return { bare: createPod(spec), injected: createPod(injection.pod.spec) }
}

const ANY_ID = '00000000-0000-0000-0000-000000000000'

/** Creates a pod that an installed webhook leaves as it is: it would reject a ServiceAccount without an identity. */
function createPod(spec: object): object {
  const metadata = { name: 'wimds-doctor', annotations: { 'wimds.io/inject': 'false' } }
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec }
}
