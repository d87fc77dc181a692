/** Asks the API server by a dry run, which creates nothing, whether it would create an object, and explains a refusal. */
import type { RoutingMode } from '../../lib/sidecar-interface.ts'
import { failed, type Fault, notChecked, type Outcome, passed } from './findings.ts'
import type { Kubectl, KubectlResult } from './kubectl.ts'

/** Creates nothing. The result has the object as it would be stored. */
export function tryToCreate(
  kubectl: Kubectl,
  object: object,
  ...flags: string[]
): Promise<KubectlResult> {
  const args = ['create', '--dry-run=server', '--output=json', '--filename=-', ...flags]
  return kubectl(args, JSON.stringify(object))
}

/** What refuses an object, and what to do. */
interface Refusal {
  /** The name of the policy or the webhook; empty if it has none. */
  readonly name: string
  readonly code: 'pod_not_admitted' | 'webhook_unavailable'
  readonly by: string
  readonly fix: string
}

type Explain = (name: string, mode: RoutingMode | undefined) => Omit<Refusal, 'name'>

const IMAGES =
  'if it is about images, pass those of your registry (--image, --redirect-image, --gate-image)'

const explainPolicy =
  (kind: string): Explain =>
  (name) => ({
    code: 'pod_not_admitted',
    by: `the ${kind} ${name}`,
    fix: `${IMAGES}; otherwise exempt the injected containers, or this namespace, from it`,
  })

const explainPodSecurity: Explain = (name, mode) => ({
  code: 'pod_not_admitted',
  by: `the Pod Security level ${name}`,
  fix:
    mode === 'loopback' || mode === 'nft'
      ? `label the namespace pod-security.kubernetes.io/enforce=privileged, since mode ${mode} needs an init container with NET_ADMIN, or choose mode env or node, in which a pod needs no privileges`
      : 'label the namespace with another level (pod-security.kubernetes.io/enforce)',
})

const explainQuota: Explain = (name) => ({
  code: 'pod_not_admitted',
  by: `the ResourceQuota ${name}`,
  fix: 'raise it by the requests and limits of an injected pod, or give the sidecar those that it demands: the values injection.resources of the chart, or the annotations wimds.io/cpu-limit, wimds.io/memory-limit, wimds.io/cpu-request and wimds.io/memory-request',
})

const explainLimitRange: Explain = () => ({
  code: 'pod_not_admitted',
  by: 'a LimitRange',
  fix: 'give the sidecar resources that it allows (kubectl describe limitranges): the values injection.resources of the chart, or the annotations wimds.io/memory-request, wimds.io/memory-limit, wimds.io/cpu-request and wimds.io/cpu-limit',
})

const explainConstraints: Explain = () => ({
  code: 'pod_not_admitted',
  by: 'the security context constraints of OpenShift',
  fix: 'set the uid of the injector to none (injection.uid of the chart), and choose mode env or node, in which a pod needs no privileges',
})

const explainAccount: Explain = (name) => ({
  code: 'pod_not_admitted',
  by: 'the API server',
  fix: `create the ServiceAccount ${name} in the namespace; Kubernetes creates that of a new namespace within seconds`,
})

/** The names of the webhooks of wimds. */
export const OWN_WEBHOOK = /^(?:namespace\.)?pods\.wimds\.io$/

const explainUnavailable: Explain = (name) => ({
  code: 'webhook_unavailable',
  by: `the unreachable admission webhook ${name}`,
  fix: OWN_WEBHOOK.test(name)
    ? 'run wimds doctor --cluster, which says what is wrong with the webhook of wimds'
    : `find its configuration (kubectl get mutatingwebhookconfigurations,validatingwebhookconfigurations -o yaml, name: ${name}), and repair its Service, or delete the configuration if its program is gone: until then no such pod can be created here, injected or not`,
})

/** The explanations, found by what kube-apiserver writes; the first group is the name. */
const REFUSALS: readonly (readonly [RegExp, Explain])[] = [
  [/failed calling webhook "([^"]+)"/, explainUnavailable],
  [/ValidatingAdmissionPolicy '([^']+)'/, explainPolicy('ValidatingAdmissionPolicy')],
  [/admission webhook "([^"]+)" denied/, explainPolicy('admission webhook')],
  [/violates PodSecurity "([^"]+)"/, explainPodSecurity],
  [/(?:exceeded|failed) quota: ([^,:\s]+)/, explainQuota],
  [/(?:min|max)imum \S+ usage per|max limit to request ratio/, explainLimitRange],
  [/unable to validate against any security context constraint/, explainConstraints],
  [/serviceaccount "([^"]+)" not found/, explainAccount],
]

/** Returns what refuses the object; undefined if kubectl failed for another reason. */
export function findRefusal(
  { stderr }: Pick<KubectlResult, 'stderr'>,
  mode?: RoutingMode,
): Refusal | undefined {
  for (const [pattern, explain] of REFUSALS) {
    const [found, name = ''] = pattern.exec(stderr) ?? []
    if (found !== undefined) return { name, ...explain(name, mode) }
  }
  return /\((?:Forbidden|Invalid|BadRequest)\)|denied|is forbidden/.test(stderr)
    ? { name: '', code: 'pod_not_admitted', by: 'the API server', fix: 'correct what it names' }
    : undefined
}

/** Returns the outcome of a dry run of `what`, such as "the pod that injection writes". */
export function judgeDryRun(
  result: KubectlResult,
  what: string,
  mode: RoutingMode | undefined,
  ...details: string[]
): Outcome {
  if (result.code === 0) return passed('is admitted (dry run)', ...details)
  const reason = formatReason(result)
  if (isUndecided(result)) return notChecked(reason, ...details)
  const refusal = findRefusal(result, mode)
  if (refusal === undefined) return failed(result.fault, ...details)
  const { code, by, fix } = refusal
  const fault: Fault = { code, problem: `${by} refuses ${what}: ${reason}`, fix }
  return failed(fault, ...details)
}

/** Returns true if the API server has not judged the object: the user may not create it, or a webhook forbids dry runs. */
export function isUndecided({ stderr }: KubectlResult): boolean {
  return /cannot create resource|does not support dry run/.test(stderr)
}

function formatReason({ reason }: KubectlResult): string {
  return reason.replace(/^error when creating "STDIN": /, '')
}
