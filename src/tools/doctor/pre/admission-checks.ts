/** Checks by dry runs whether a cluster admits injected pods, the node agent and the webhook. */
import { inject } from '../../../injection/injector/inject.ts'
import type { InjectionSettings } from '../../../injection/injector/injection-settings.ts'
import type { RoutingMode } from '../../../lib/sidecar-interface.ts'
import {
  ANY_ACCOUNT,
  createSamplePod,
  createSampleSpec,
  findRefusal,
  judgeDryRun,
  MISSING_NAMESPACE,
  tryToCreate,
} from '../dry-run.ts'
import { notChecked, notNeeded, type Outcome } from '../findings.ts'
import type { Kubectl } from '../kubectl.ts'

/**
 * Returns whether the namespace admits an injected pod. The API server decides: that includes its default Pod Security
 * level, policies, quotas and other webhooks, which no label shows.
 */
export async function checkAdmission(
  kubectl: Kubectl,
  settings: InjectionSettings,
): Promise<Outcome> {
  const { mode } = settings
  const { bare, injected } = createSamplePods(settings)
  const result = await tryToCreate(kubectl, injected)
  const outcome = judgeDryRun(result, INJECTED_POD, mode)
  if (outcome.status !== 'failed') return outcome
  const without = await tryToCreate(kubectl, bare)
  const refusal = findRefusal(without, 'the same pod without the injection')
  if (refusal === undefined) return outcome
  return { ...outcome, details: [`${refusal.by} refuses the same pod without the injection, too`] }
}

const INJECTED_POD = 'the pod that injection writes'

/** The chart's default of nodeAgent.namespace. */
export const AGENT_NAMESPACE = 'wimds-node-agent'

const PRIVILEGED = 'pod-security.kubernetes.io/enforce=privileged'

/**
 * Returns whether the agent's namespace admits the agent's rights: Pod Security below `privileged` refuses them, and so
 * do many policies.
 */
export async function checkAgentAdmission(kubectl: Kubectl, image: string): Promise<Outcome> {
  const inItsNamespace = `--namespace=${AGENT_NAMESPACE}`
  const result = await tryToCreate(kubectl, createAgentPod(image), inItsNamespace)
  if (!MISSING_NAMESPACE.test(result.stderr)) {
    const what = 'a pod with the rights of the node agent'
    return judgeDryRun(result, what, 'node', { fix: AGENT_FIX })
  }
  return notChecked(
    `there is no namespace ${AGENT_NAMESPACE}. To check it before the installation, create it with the label ${PRIVILEGED}, and install with nodeAgent.createNamespace=false`,
  )
}

const AGENT_FIX = `label that namespace ${PRIVILEGED}, or exempt it from the policy that is named (on AKS: az aks safeguards update --excluded-ns, with this namespace and all that are excluded already); if it is about images, pass that of your registry (--gate-image)`

/** Returns a pod with the rights of the chart's agent and a directory of the node. */
function createAgentPod(image: string) {
  const securityContext = {
    runAsUser: 0,
    readOnlyRootFilesystem: true,
    seccompProfile: { type: 'RuntimeDefault' },
    capabilities: {
      drop: ['ALL'],
      add: ['SYS_ADMIN', 'NET_ADMIN', 'DAC_READ_SEARCH', 'SETUID', 'SETGID', 'KILL'],
    },
  }
  const resources = { requests: { cpu: '100m', memory: '352Mi' }, limits: { memory: '896Mi' } }
  const probe = { exec: { command: ['wimds', 'probe', '--port=9441'] } }
  const probes = { readinessProbe: probe, livenessProbe: probe }
  const spec = {
    containers: [{ name: 'wimds-node-agent', image, resources, securityContext, ...probes }],
    volumes: [{ name: 'kubelet-pods', hostPath: { path: '/var/lib/kubelet/pods' } }],
  }
  return createSamplePod(spec, UNINJECTED)
}

/** Returns whether a MutatingWebhookConfiguration can be created, as the chart does; managed clusters may forbid it. */
export async function checkWebhookAdmission(kubectl: Kubectl, mode: RoutingMode): Promise<Outcome> {
  const result = await tryToCreate(kubectl, SAMPLE_WEBHOOK)
  const outcome = judgeDryRun(result, 'the webhook of the chart', mode, {
    code: 'webhook_not_admitted',
    fix: 'inject manifests by wimds inject, without the chart; or let the policy that is named allow the MutatingWebhookConfiguration wimds. AKS Automatic blocks mutating webhooks before Kubernetes 1.36',
  })
  return outcome.reason?.includes('cannot create resource')
    ? notNeeded('you may not create one; only the chart needs it, wimds inject does not')
    : outcome
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

/** Returns an application's pod, and the same pod injected. The application has the image that is injected. */
function createSamplePods(settings: InjectionSettings) {
  const spec = createSampleSpec(settings.mode === 'node' ? settings.gateImage : settings.image)
  const injection = inject({
    pod: { metadata: { annotations: { 'wimds.io/inject': 'true' } }, spec },
    serviceAccount: ANY_ACCOUNT,
    settings,
  })
  if (injection.kind !== 'injected') throw new Error('the sample pod cannot be injected')
  return {
    bare: createSamplePod(spec, UNINJECTED),
    injected: createSamplePod(injection.pod.spec, UNINJECTED),
  }
}

/** An installed webhook leaves the pod as it is: it would reject a ServiceAccount without an identity. */
const UNINJECTED = { annotations: { 'wimds.io/inject': 'false' } }
