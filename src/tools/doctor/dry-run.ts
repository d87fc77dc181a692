/** Asks the API server by a dry run, which creates nothing, whether it would create an object, and explains a refusal. */
import { CLIENT_ID, TENANT_ID } from '../../kubernetes/service-account.ts'
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

/**
 * A LimitRange that allows these resources for the sidecar allows them for the application. The limit of CPU is above the
 * request: in a Guaranteed pod the sidecar would have other resources.
 */
const RESOURCES = {
  requests: { cpu: '10m', memory: '64Mi' },
  limits: { cpu: '20m', memory: '64Mi' },
}

/** Returns the specification of a pod that policies for good pods admit, such as those of AKS and Pod Security `restricted`. */
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

interface RefusalKind {
  /** What kube-apiserver writes; the first group is a name. */
  readonly pattern: RegExp
  /** Without it, `pod_not_admitted`. */
  readonly code?: 'webhook_unavailable'
  /** What refuses the object, of this name. */
  readonly by: (name: string) => string
  readonly fix: (name: string, mode: RoutingMode | undefined) => string
}

const fixPolicy = () =>
  'if it is about images, pass those of your registry (--image, --redirect-image, --gate-image); if it is about limits of CPU, set injection.resources.cpuLimit of the chart, or the annotation wimds.io/cpu-limit; otherwise exempt the injected containers, or this namespace, from it'

const REFUSALS: readonly RefusalKind[] = [
  {
    pattern: /failed calling webhook "([^"]+)"/,
    code: 'webhook_unavailable',
    by: (name) => `the unreachable admission webhook ${name}`,
    fix: (name) =>
      OWN_WEBHOOK.test(name)
        ? 'run wimds doctor --cluster, which says what is wrong with the webhook of wimds'
        : `find its configuration (kubectl get mutatingwebhookconfigurations,validatingwebhookconfigurations -o yaml, name: ${name}), and repair its Service, or delete the configuration if its program is gone: until then no such object can be created here`,
  },
  {
    pattern: /ValidatingAdmissionPolicy '([^']+)'/,
    by: (name) => `the ValidatingAdmissionPolicy ${name}`,
    fix: fixPolicy,
  },
  {
    pattern: /admission webhook "([^"]+)" denied/,
    by: (name) => `the admission webhook ${name}`,
    fix: fixPolicy,
  },
  {
    pattern: /violates PodSecurity "([^"]+)"/,
    by: (name) => `the Pod Security level ${name}`,
    fix: (_, mode) =>
      mode === 'loopback' || mode === 'nft'
        ? `label the namespace pod-security.kubernetes.io/enforce=privileged, since mode ${mode} needs an init container with NET_ADMIN, or choose mode env or node, in which a pod needs no privileges`
        : 'label the namespace with another level (pod-security.kubernetes.io/enforce)',
  },
  {
    pattern: /(?:exceeded|failed) quota: ([^,:\s]+)/,
    by: (name) => `the ResourceQuota ${name}`,
    fix: () =>
      'raise it by the requests and limits of an injected pod, or give the injected containers those that it demands: the values injection.resources of the chart, or the annotations wimds.io/cpu-limit, wimds.io/memory-limit, wimds.io/cpu-request and wimds.io/memory-request',
  },
  {
    pattern: /(?:min|max)imum \S+ usage per|max limit to request ratio/,
    by: () => 'a LimitRange',
    fix: () =>
      'give the injected containers resources that it allows (kubectl describe limitranges): the values injection.resources of the chart, or the annotations wimds.io/memory-request, wimds.io/memory-limit, wimds.io/cpu-request and wimds.io/cpu-limit',
  },
  {
    pattern: /unable to validate against any security context constraint/,
    by: () => 'the security context constraints of OpenShift',
    fix: () =>
      'set the uid of the injector to none (injection.uid of the chart), and choose mode env or node, in which a pod needs no privileges',
  },
  {
    pattern: /serviceaccount "([^"]+)" not found/,
    by: () => 'the API server',
    fix: (name) =>
      `create the ServiceAccount ${name} in the namespace; Kubernetes creates that of a new namespace within seconds`,
  },
  {
    pattern: /\((?:Forbidden|Invalid|BadRequest)\)|denied|is forbidden/,
    by: () => 'the API server',
    fix: () => 'correct what it names',
  },
]

/**
 * Returns what refuses `what`, such as "the pod that injection writes": its name, if it has one, and the fault. Undefined if
 * kubectl failed for another reason.
 */
export function findRefusal(
  { stderr, reason }: Pick<KubectlResult, 'stderr' | 'reason'>,
  what: string,
  mode?: RoutingMode,
) {
  for (const { pattern, code = 'pod_not_admitted', by, fix } of REFUSALS) {
    const [found, name = ''] = pattern.exec(stderr) ?? []
    if (found === undefined) continue
    const problem = `${by(name)} refuses ${what}: ${reason}`
    return { name, by: by(name), fault: { code, problem, fix: fix(name, mode) } } as const
  }
  return undefined
}

/** What the API server writes; the group is the name. */
export const MISSING_NAMESPACE = /namespaces "([^"]+)" not found/

/** Returns the outcome of a dry run of `what`. `ownFault` is what a refusal by the cluster has in place of the usual fault. */
export function judgeDryRun(
  result: KubectlResult,
  what: string,
  mode?: RoutingMode,
  ownFault: Partial<Fault> = {},
): Outcome {
  if (result.code === 0) return passed('is admitted (dry run)')
  const { reason } = result
  const [, missing] = MISSING_NAMESPACE.exec(reason) ?? []
  if (missing !== undefined) {
    return notChecked(`there is no namespace ${missing}. Create it, or name another one`)
  }
  if (isUndecided(result)) return notChecked(reason)
  const { fault = result.fault } = findRefusal(result, what, mode) ?? {}
  return failed(fault.code === 'pod_not_admitted' ? { ...fault, ...ownFault } : fault)
}

/** Returns true if the API server has not judged the object: the user may not create it, or a webhook forbids dry runs. */
function isUndecided({ stderr }: KubectlResult): boolean {
  return /cannot create resource|does not support dry run/.test(stderr)
}
