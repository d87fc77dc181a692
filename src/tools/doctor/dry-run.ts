/** Asks the API server by a dry run, which creates nothing, whether it would create an object. Explains a refusal. */
import { CLIENT_ID, TENANT_ID } from '../../kubernetes/service-account.ts'
import type { RoutingMode } from '../../lib/sidecar-interface.ts'
import { failed, notChecked, type Outcome } from './findings.ts'
import type { Kubectl, KubectlFailure } from './kubectl.ts'

/** Returns the object as the API server would store it, as JSON, or why it would not. Creates nothing. */
export function tryToCreate(kubectl: Kubectl, object: object) {
  const args = ['create', '--dry-run=server', '--output=json', '--filename=-']
  return kubectl(args, JSON.stringify(object))
}

/**
 * The resources of the application in the sample pod. They are those of the sidecar, so a LimitRange that allows the one allows the
 * other. The limit of CPU is above the request: in a Guaranteed pod the sidecar would have other resources.
 */
const RESOURCES = {
  requests: { cpu: '10m', memory: '64Mi' },
  limits: { cpu: '20m', memory: '64Mi' },
}

/** Returns the specification of a pod that common policies admit, such as the policies of AKS and Pod Security `restricted`. */
export function createSampleSpec(image: string) {
  const securityContext = {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  }
  const probe = { exec: { command: ['wimds', 'probe'] } }
  const probes = { livenessProbe: probe, readinessProbe: probe }
  return {
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [{ name: 'app', image, resources: RESOURCES, securityContext, ...probes }],
  }
}

/** A ServiceAccount with an identity that does not exist. */
export const ANY_ACCOUNT = {
  [CLIENT_ID]: '00000000-0000-0000-0000-000000000000',
  [TENANT_ID]: '00000000-0000-0000-0000-000000000000',
}

/** Returns a pod with this specification; `metadata` has its annotations. */
export function createSamplePod(spec: object, metadata: object): object {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'wimds-doctor', ...metadata }, spec }
}

/** The names of the webhooks of wimds. */
export const OWN_WEBHOOK = /^(?:namespace\.)?pods\.wimds\.io$/

const POLICY_FIX =
  'if it is about images, pass your registry (--image-registry). If it is about limits of CPU, set injection.resources.cpuLimit of the chart, or the annotation wimds.io/cpu-limit. Otherwise exempt the injected containers, or this namespace, from it'

/** The values and annotations that set the resources of the injected containers. */
const RESOURCE_VALUES =
  'the values injection.resources of the chart, or the annotations wimds.io/cpu-limit, wimds.io/memory-limit, wimds.io/cpu-request and wimds.io/memory-request'

/** The refusals of kube-apiserver: the pattern of the message, the name of the refuser, and the fix. NAME is the first group of the pattern. */
const REFUSALS: readonly (readonly [RegExp, by: string, fix: string])[] = [
  [
    /failed calling webhook "([^"]+)"/,
    'the unreachable admission webhook NAME',
    'find its configuration (kubectl get mutatingwebhookconfigurations,validatingwebhookconfigurations -o yaml, name: NAME), and repair its Service, or delete the configuration if its program is gone: until then no such object can be created here',
  ],
  [/ValidatingAdmissionPolicy '([^']+)'/, 'the ValidatingAdmissionPolicy NAME', POLICY_FIX],
  [/admission webhook "([^"]+)" denied/, 'the admission webhook NAME', POLICY_FIX],
  [
    /violates PodSecurity "([^"]+)"/,
    'the Pod Security level NAME',
    'label the namespace with another level (pod-security.kubernetes.io/enforce)',
  ],
  [
    /(?:exceeded|failed) quota: ([^,:\s]+)/,
    'the ResourceQuota NAME',
    `raise it by the requests and limits of an injected pod, or set the requests and limits that it demands: ${RESOURCE_VALUES}`,
  ],
  [
    /(?:min|max)imum \S+ usage per|max limit to request ratio/,
    'a LimitRange',
    `give the injected containers resources that it allows (kubectl describe limitranges): ${RESOURCE_VALUES}`,
  ],
  [
    /unable to validate against any security context constraint/,
    'the security context constraints of OpenShift',
    'set the uid of the injector to none (injection.uid of the chart, --uid here), and choose mode env or node, in which a pod needs no privileges',
  ],
  [
    /serviceaccount "([^"]+)" not found/,
    'the API server',
    'create the ServiceAccount NAME in the namespace. In a new namespace, Kubernetes creates the ServiceAccount default within seconds',
  ],
  [
    /\((?:Forbidden|Invalid|BadRequest)\)|denied|is forbidden/,
    'the API server',
    'correct what it names',
  ],
]

/**
 * Returns the policy, webhook or quota that refuses `what`, such as "the pod that injection writes", and the fault. Returns
 * undefined if kubectl failed for another reason.
 */
export function findRefusal(
  { stderr, reason }: Pick<KubectlFailure, 'stderr' | 'reason'>,
  what: string,
  mode?: RoutingMode,
) {
  // A policy that only warns refuses nothing.
  const text = stderr.replaceAll(/^Warning: .*$/gm, '')
  const refusal = REFUSALS.find(([pattern]) => pattern.test(text))
  if (refusal === undefined) return undefined
  const [pattern, subject, usual] = refusal
  const [, name = ''] = pattern.exec(text) ?? []
  const by = subject.replace('NAME', name)
  const isUnreachable = by.includes('unreachable')
  const code = isUnreachable ? 'webhook_unavailable' : 'pod_not_admitted'
  const fix =
    isUnreachable && OWN_WEBHOOK.test(name)
      ? 'run wimds doctor --cluster, which says what is wrong with the webhook of wimds'
      : by.includes('Pod Security') && (mode === 'loopback' || mode === 'nft')
        ? `label the namespace pod-security.kubernetes.io/enforce=privileged, since mode ${mode} needs an init container with NET_ADMIN, or choose mode env or node, in which a pod needs no privileges`
        : usual.replace('NAME', name)
  return { name, by, fault: { code, problem: `${by} refuses ${what}: ${reason}`, fix } } as const
}

/** Returns the outcome of a dry run of `what` that failed. */
export function judgeRefusal(failure: KubectlFailure, what: string, mode: RoutingMode): Outcome {
  const { reason, stderr, fault } = failure
  const [, missing] = /namespaces "([^"]+)" not found/.exec(reason) ?? []
  if (missing !== undefined) {
    return notChecked(`there is no namespace ${missing}. Create it, or name another one`)
  }
  // The API server has not judged the object: the user may not create it, or a webhook forbids dry runs.
  if (/cannot create resource|does not support dry run/.test(stderr)) return notChecked(reason)
  return failed(findRefusal(failure, what, mode)?.fault ?? fault)
}
