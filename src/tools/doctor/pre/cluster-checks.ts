/** Checks whether a cluster, and a namespace of it, can run injected pods. */
import * as z from 'zod/mini'
import { TENANT_ID } from '../../../kubernetes/service-account.ts'
import { inject } from '../../../injection/injector/inject.ts'
import {
  type InjectionSettings,
  NATIVE_SIDECARS_SINCE,
} from '../../../injection/injector/injection-settings.ts'
import type { RoutingMode } from '../../../lib/sidecar-interface.ts'
import { findRefusal, isUndecided, judgeDryRun, tryToCreate } from '../dry-run.ts'
import { failed, notChecked, notNeeded, type Outcome, passed } from '../findings.ts'
import { type Kubectl, parseOutput } from '../kubectl.ts'

/** The minor version of Kubernetes 1 from which on the chart can be installed. */
const SUPPORTED_SINCE = 27

const Version = z.object({
  serverVersion: z.object({ gitVersion: z.string(), major: z.string(), minor: z.string() }),
})

/** Returns whether the version of the API server is supported, and what an old one lacks. */
export async function checkVersion(kubectl: Kubectl): Promise<Outcome> {
  const result = await kubectl(['version', '--output=json'])
  const data = parseOutput(Version, result)
  if (data === undefined) return failed(result.fault)
  const { gitVersion, minor } = data.serverVersion
  const version = Number.parseInt(minor, 10)
  if (version < SUPPORTED_SINCE) {
    return failed({
      code: 'kubernetes_version',
      problem: `the API server is ${gitVersion}, and wimds supports 1.${SUPPORTED_SINCE} and later`,
      fix: 'upgrade the cluster',
    })
  }
  return version < NATIVE_SIDECARS_SINCE
    ? passed(
        gitVersion,
        `before 1.${NATIVE_SIDECARS_SINCE} there are no native sidecars: pods that run to completion, such as Jobs, cannot be injected`,
      )
    : passed(gitVersion)
}

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
  if (level === undefined) {
    return notChecked(`there is no namespace ${namespace}. Create it, or name another one`)
  }
  const attempt = (resources: object, isInjected = true) =>
    tryToCreate(kubectl, createSamplePod(settings, resources, isInjected))
  // The smaller the application, the more of a quota is left. A LimitRange may not allow so small a one.
  const smallest = await attempt(SMALLEST)
  const isTooSmall = findRefusal(smallest, mode)?.by === 'a LimitRange'
  const resources = isTooSmall ? OF_SIDECAR : SMALLEST
  const result = isTooSmall ? await attempt(resources) : smallest
  const outcome = judgeDryRun(result, 'the pod that injection writes', mode, ...level)
  if (outcome.status !== 'failed') return outcome
  const bare = await attempt(resources, false)
  const isOfInjection = findRefusal(bare, mode)?.by !== findRefusal(result, mode)?.by
  const note = 'the same pod without the injection is refused, too'
  return { ...outcome, details: [...outcome.details, ...(isOfInjection ? [] : [note])] }
}

const SMALLEST = createResources('1m', '2m', '1Mi')
/** What a LimitRange allows the sidecar, it allows the application. */
const OF_SIDECAR = createResources('10m', '20m', '64Mi')

/** With different request and limit of CPU: in a Guaranteed pod the sidecar would have other resources. */
function createResources(cpuRequest: string, cpuLimit: string, memory: string): object {
  return { requests: { cpu: cpuRequest, memory }, limits: { cpu: cpuLimit, memory } }
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

/** It is for no pod. */
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
 * Returns a sentence on the Pod Security level; none without permission to read it, since the dry run decides alone.
 * Returns undefined if there is no such namespace.
 */
async function readLevel(kubectl: Kubectl, namespace: string): Promise<string[] | undefined> {
  const result = await kubectl(['get', 'namespace', namespace, '--output=json'])
  if (result.stderr.includes('(NotFound)')) return undefined
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

/** Returns a pod that Pod Security `restricted` admits, injected or not. Its images are those of the sidecar. */
function createSamplePod(settings: InjectionSettings, resources: object, isInjected: boolean) {
  const metadata = { name: 'wimds-doctor', annotations: { 'wimds.io/inject': 'true' } }
  const spec = {
    securityContext: {
      runAsUser: 1000,
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [{ name: 'app', image: settings.image, resources, securityContext: HARDENED }],
  }
  const injection = inject({
    pod: { metadata, spec },
    serviceAccount: { [TENANT_ID]: ANY_ID },
    settings: { ...settings, clientId: ANY_ID },
  })
  if (injection.kind !== 'injected') throw new Error('the sample pod cannot be injected')
  // An installed webhook would inject it again, for a ServiceAccount that has no identity, and so reject it.
  const annotations = { 'wimds.io/inject': 'false' }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata, annotations },
    spec: isInjected ? injection.pod.spec : spec,
  }
}

const ANY_ID = '00000000-0000-0000-0000-000000000000'
