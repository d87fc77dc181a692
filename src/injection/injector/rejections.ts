/** Checks whether a pod can be injected: rejections, each with its fix, and warnings. */
import { formatProblem } from '../../lib/errors.ts'
import { isGuid } from '../../lib/grammars.ts'
import { listFound } from '../../lib/printable.ts'
import { NO_PROXY_NAMES } from '../../lib/sdk-variables.ts'
import { isInjectedByAzwi } from './azwi-opt-in.ts'
import {
  ACCOUNT_ANNOTATIONS,
  findMisspelt,
  formatAccountProblem,
} from '../../kubernetes/service-account.ts'
import { findProxyWarnings } from './app-environment.ts'
import { findEndpointProblems } from './endpoint-variables.ts'
import {
  allContainers,
  type Container,
  findVariable,
  isInjected,
  isReservedVolume,
  getKnownValue,
  getLiteralValue,
  type Pod,
  getServiceAccountName,
} from '../../kubernetes/pod.ts'
import { findNodeModeProblems } from './node-mode.ts'
import { findPassThroughProblems } from './pass-through.ts'
import type { Plan } from './injection-plan.ts'
import { findValueProblem } from './injection-settings.ts'
import { findResourceProblems } from './resources.ts'

/** Checks a pod, from which an earlier injection has been removed, and the plan for it. */
export function checkPod(pod: Pod, plan: Plan) {
  const { settings, hasPassThrough } = plan
  const isNode = settings.mode === 'node'
  const apps = allContainers(pod).filter(({ name }) => !settings.skipped.has(name))
  const { rejected = [], warned = [] } = Object.groupBy(
    apps.flatMap((app) => findEndpointProblems(app, plan.endpoint)),
    ({ isRejected }) => (isRejected ? 'rejected' : 'warned'),
  )
  return {
    /** Every reason for which the pod cannot be injected, each with its fix. */
    rejections: [
      ...settings.problems,
      ...findUnsuitablePod(pod, plan),
      ...findReservedNames(pod),
      ...findPortConflicts(pod, plan),
      ...(isNode ? findNodeModeProblems(pod, plan) : []),
      ...(hasPassThrough ? findPassThroughProblems(pod, plan) : []),
      ...apps.flatMap(findDuplicateVariables),
      ...rejected.map(formatProblem),
      ...findIdentityProblems(pod, plan),
      ...findOtherAudience(plan),
      ...findResourceProblems(settings.resources),
    ],
    /** A sentence for each thing that works, but probably not as its author expects. */
    warnings: [
      ...findUnexpected(pod, plan),
      ...apps.flatMap((app) => findOtherIdentity(app, plan)),
      ...findProxyWarnings(apps, plan),
      ...warned.map(formatProblem),
    ],
  }
}

/** The label of a node's operating system, and its deprecated name. */
const OS_LABELS = ['kubernetes.io/os', 'beta.kubernetes.io/os']

function findUnsuitablePod(pod: Pod, { settings }: Plan): string[] {
  const { hostNetwork, os, nodeSelector } = pod.spec
  const { mode, allowedModes } = settings
  const isWindows =
    os?.name === 'windows' || OS_LABELS.some((label) => nodeSelector?.[label] === 'windows')
  const hasAzwiProxy = allContainers(pod).some(({ name }) => /^azwi-proxy(?:-init)?$/.test(name))
  return listFound(
    hostNetwork === true &&
      'the pod uses hostNetwork, so every process of its node could get its tokens. Fix: remove hostNetwork, or leave the pod out by the annotation wimds.io/inject: "false"',
    isWindows &&
      'the pod runs on Windows, for which wimds has no image. Fix: leave the pod out by the annotation wimds.io/inject: "false"',
    hasAzwiProxy &&
      'the pod already has the container azwi-proxy. Fix: remove it, and the annotation azure.workload.identity/inject-proxy-sidecar',
    !hasAzwiProxy &&
      isInjectedByAzwi(pod) &&
      'the Azure workload identity webhook would add azwi-proxy as well. Fix: remove the annotation azure.workload.identity/inject-proxy-sidecar',
    !allowedModes.includes(mode) &&
      `mode ${mode} is not allowed here. Fix: set wimds.io/mode to ${allowedModes.join(' or ')}`,
  )
}

function findReservedNames(pod: Pod): string[] {
  const containers = allContainers(pod).filter(isInjected)
  const volumes = (pod.spec.volumes ?? []).filter(isReservedVolume)
  return [
    ...containers.map(({ name }) => `container ${name}`),
    ...volumes.map(({ name }) => `volume ${name}`),
  ].map((object) => `the pod has a ${object}, a reserved name. Fix: rename it`)
}

function findPortConflicts(pod: Pod, { settings: { mode, port, adminPort } }: Plan): string[] {
  const isNode = mode === 'node'
  if (!isNode && port === adminPort) {
    return [`the port and the admin port are both ${port}. Fix: set wimds.io/port to another port`]
  }
  const program = isNode ? 'the node agent' : 'the sidecar'
  const wanted = [
    [port, 'wimds.io/port'] as const,
    ...(isNode ? [] : [[adminPort, 'wimds.io/admin-port'] as const]),
  ]
  return wanted.flatMap(([number, annotation]) =>
    allContainers(pod)
      .filter(({ ports }) =>
        ports?.some((one) => one.containerPort === number && (one['protocol'] ?? 'TCP') === 'TCP'),
      )
      .map(
        ({ name }) =>
          `the container ${name} declares port ${number}, on which ${program} would listen. Fix: set the annotation ${annotation} to another port`,
      ),
  )
}

/** Returns a problem for NO_PROXY that is set twice: the values may differ, and injection would have to change both. */
function findDuplicateVariables({ name: container, env }: Container): string[] {
  return NO_PROXY_NAMES.flatMap((name) => {
    const count = env?.filter((entry) => entry.name === name).length ?? 0
    return count < 2
      ? []
      : [`the container ${container} sets ${name} ${count} times. Fix: set it once`]
  })
}

/** Returns a problem for a missing tenant id, and for each malformed id. */
function findIdentityProblems({ spec }: Pod, { sidecarEnv, token }: Plan): string[] {
  const account = getServiceAccountName(spec)
  const problems = sidecarEnv.flatMap((entry) => {
    const annotation = ACCOUNT_ANNOTATIONS.get(entry.name)
    const problem = annotation && findValueProblem(entry)
    if (annotation === undefined || problem === undefined) return []
    // Flags were validated before, so the value is from a variable of a container or from an annotation.
    return token.variables.includes(entry)
      ? [`the variable ${entry.name} of a container ${problem}. Fix: correct it`]
      : [formatAccountProblem(annotation, account, problem)]
  })
  if (sidecarEnv.some(({ name }) => name === 'AZURE_TENANT_ID')) return problems
  return [
    ...problems,
    `no tenant id. Fix: annotate the ServiceAccount ${account} with azure.workload.identity/tenant-id (wimds inject reads it from its input, same namespace), or give --tenant-id`,
  ]
}

/** Returns a problem if the audience of the projected token is not WIMDS_AUDIENCE: the sidecar would reject the token. */
function findOtherAudience({ sidecarEnv, token: { audience, volume } }: Plan): string[] {
  const wanted = getKnownValue(sidecarEnv.find(({ name }) => name === 'WIMDS_AUDIENCE')) ?? ''
  if (wanted === '' || (audience ?? wanted) === wanted) return []
  const fix = volume ? `give --audience ${wanted}` : 'correct the audience in the volume of the pod'
  return [
    `WIMDS_AUDIENCE is ${wanted}, but the projected token has the audience ${audience}. Fix: ${fix}, or leave WIMDS_AUDIENCE out`,
  ]
}

/** Returns the warnings about the pod as a whole. */
function findUnexpected(pod: Pod, { settings, sidecarEnv }: Plan): string[] {
  const present = new Set(allContainers(pod).map(({ name }) => name))
  const hasClientId = sidecarEnv.some(({ name }) => name === 'AZURE_CLIENT_ID')
  return [
    // The name is misspelt, or another webhook adds the container later.
    ...[...settings.skipped]
      .filter((name) => !present.has(name))
      .map((name) => `wimds.io/skip-containers lists ${name}, but the pod has no such container`),
    ...findMisspelt(pod.metadata?.annotations).map(formatProblem),
    ...listFound(
      settings.configMap === undefined &&
        !hasClientId &&
        'no client id, so every token request must name one. Fix: annotate the ServiceAccount of the pod with azure.workload.identity/client-id, unless all requests name one',
      settings.keepsEarlierMode &&
        `the pod keeps mode ${settings.mode} of its earlier injection. Fix: set wimds.io/mode to change it`,
    ),
  ]
}

/** Returns a warning if the SDKs of a container ask for another identity than the pod's, unless an identities file lists several. */
function findOtherIdentity(container: Container, { sidecarEnv, settings }: Plan): string[] {
  if (settings.configMap !== undefined) return []
  const own = getLiteralValue(sidecarEnv.find(({ name }) => name === 'AZURE_CLIENT_ID')) ?? ''
  const other = getLiteralValue(findVariable(container, 'AZURE_CLIENT_ID')) ?? ''
  const isOther = [own, other].every(isGuid) && own.toLowerCase() !== other.toLowerCase()
  return listFound(
    isOther &&
      `the container ${container.name} sets AZURE_CLIENT_ID to ${other}, but the identity of the pod is ${own}. Fix: remove the variable, or create a federated credential of that identity for the ServiceAccount of the pod`,
  )
}
