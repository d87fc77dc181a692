/** Checks whether a pod can be injected: rejections, each with its fix, and warnings. */
import { Settings } from '../../broker/config/settings.ts'
import { formatProblem, type Problem } from '../../lib/errors.ts'
import { isGuid } from '../../lib/grammars.ts'
import { NO_PROXY_NAMES } from '../../lib/sdk-variables.ts'
import { isInjectedByAzwi } from './annotations.ts'
import { ACCOUNT_ANNOTATIONS, formatAccountProblem } from '../../kubernetes/service-account.ts'
import {
  findOtherCredentials,
  MANAGED_IDENTITY_ONLY,
  PRODUCTION_CREDENTIALS,
  SDK_CREDENTIALS,
  takesNoProxyFromElsewhere,
} from './app-environment.ts'
import { findEndpointProblems } from './endpoint-variables.ts'
import {
  allContainers,
  type Container,
  type EnvVar,
  findVariable,
  isInjected,
  isReservedVolume,
  getLiteralValue,
  type Pod,
  getServiceAccountName,
} from '../../kubernetes/pod.ts'
import { findNodeModeProblems, findNodeModeWarnings } from './node-mode.ts'
import { findPassThroughProblems } from './pass-through.ts'
import type { Plan } from './injection-plan.ts'
import { findResourceProblems } from './resources.ts'

/**
 * Returns every reason for which the pod cannot be injected, each with its fix. The pod is the one
 * without an earlier injection.
 */
export function findRejections(pod: Pod, plan: Plan): string[] {
  return [...plan.options.problems, ...REJECTIONS.flatMap((check) => check(pod, plan) || [])]
}

/** Returns a sentence for each thing that works, but probably not as its author expects. */
export function findWarnings(pod: Pod, plan: Plan): string[] {
  return WARNINGS.flatMap((check) => check(pod, plan) || [])
}

/** One sentence or several; false if there is nothing to say. */
type Found = string | readonly string[] | false
type Check = (pod: Pod, plan: Plan) => Found

const hostNetwork: Check = ({ spec }) =>
  spec.hostNetwork === true &&
  'the pod uses hostNetwork, so every process of its node could get its tokens. Fix: remove hostNetwork, or leave the pod out by the annotation wimds.io/inject: "false"'

/** The label of nodes that the kubelet sets, and the deprecated one. */
const OS_LABELS = ['kubernetes.io/os', 'beta.kubernetes.io/os']

const windows: Check = ({ spec: { os, nodeSelector } }) =>
  (os?.name === 'windows' || OS_LABELS.some((label) => nodeSelector?.[label] === 'windows')) &&
  'the pod runs on Windows, for which wimds has no image. Fix: set wimds.io/inject: "false"'

const azwiProxy: Check = (pod) => {
  if (allContainers(pod).some(({ name }) => /^azwi-proxy(?:-init)?$/.test(name))) {
    return 'the pod already has the container azwi-proxy. Fix: remove it, and the annotation azure.workload.identity/inject-proxy-sidecar'
  }
  return (
    isInjectedByAzwi(pod) &&
    'the Azure workload identity webhook would add azwi-proxy as well. Fix: remove the annotation azure.workload.identity/inject-proxy-sidecar'
  )
}

const reservedNames: Check = (pod) => {
  const containers = allContainers(pod).filter(isInjected)
  const volumes = (pod.spec.volumes ?? []).filter(isReservedVolume)
  return [
    ...containers.map(({ name }) => `container ${name}`),
    ...volumes.map(({ name }) => `volume ${name}`),
  ].map((object) => `the pod has a ${object}, a reserved name. Fix: rename it`)
}

const jobWithoutNativeSidecars: Check = ({ spec }, { settings }) =>
  hasClassicSidecar(settings) &&
  (spec.restartPolicy ?? 'Always') !== 'Always' &&
  'a pod that runs to completion would never complete with a sidecar before Kubernetes 1.29. Fix: upgrade the cluster'

/** Returns true if the sidecar is a container like the pod's own. */
function hasClassicSidecar({ mode, hasNativeSidecars }: Plan['settings']): boolean {
  return mode !== 'node' && !hasNativeSidecars
}

const ports: Check = (pod, { settings: { mode, port, adminPort } }) => {
  const isNode = mode === 'node'
  if (!isNode && port === adminPort) {
    return `the port and the admin port are both ${port}. Fix: set wimds.io/port to another`
  }
  const findConflicts = (wanted: number, annotation: string) =>
    allContainers(pod)
      .filter((each) => each.ports?.some(({ containerPort }) => containerPort === wanted))
      .map(
        ({ name }) =>
          `the container ${name} declares port ${wanted}, on which ${isNode ? 'the node agent' : 'the sidecar'} would listen. Fix: set the annotation ${annotation} to another port`,
      )
  return [
    ...findConflicts(port, 'wimds.io/port'),
    ...(isNode ? [] : findConflicts(adminPort, 'wimds.io/admin-port')),
  ]
}

const nodeMode: Check = (pod, plan) =>
  plan.settings.mode === 'node' && findNodeModeProblems(pod, plan)

const allowedMode: Check = (_, { settings: { mode, allowedModes } }) =>
  !allowedModes.includes(mode) &&
  `mode ${mode} is not allowed here. Fix: set wimds.io/mode to ${allowedModes.join(' or ')}`

const passThrough: Check = (pod, plan) => plan.hasPassThrough && findPassThroughProblems(pod, plan)

/** Creates a check of each container whose environment injection changes. */
function forApps(check: (container: Container, plan: Plan) => Found): Check {
  return (pod, plan) =>
    allContainers(pod)
      .filter(({ name }) => !plan.options.skipped.has(name))
      .flatMap((container) => check(container, plan) || [])
}

/** Two entries of one variable may differ, and injection would have to change both. */
const duplicateVariables = forApps((container, { appVariables }) =>
  [...NO_PROXY_NAMES, ...appVariables.map(({ name }) => name)].flatMap((name) => {
    const count = container.env?.filter((entry) => entry.name === name).length ?? 0
    if (count < 2) return []
    return [`the container ${container.name} sets ${name} ${count} times. Fix: set it once`]
  }),
)

/** Creates the check of variables by which SDKs do not reach the sidecar. */
const checkEndpoints = ({ areRejected }: { readonly areRejected: boolean }) =>
  forApps((container, plan) =>
    findEndpointProblems(container, plan)
      .filter(({ isRejected }) => isRejected === areRejected)
      .map(({ text }) => text),
  )

const tenant: Check = ({ spec }, { sidecarEnv }) =>
  sidecarEnv.every(({ name }) => name !== 'AZURE_TENANT_ID') &&
  `no tenant id. Fix: annotate the ServiceAccount ${getServiceAccountName(spec)} with azure.workload.identity/tenant-id (wimds inject reads it from its input, same namespace), or give --tenant-id`

/** Rejects settings with which the sidecar would not start, or the broker not serve the pod. */
const sidecarSettings: Check = ({ spec }, { settings, sidecarEnv, token }) => {
  const failure =
    settings.mode === 'node' ? 'the broker would not serve the pod' : 'the sidecar would not start'
  return findSettingProblems(sidecarEnv).map((found) => {
    const { setting = '', problem } = found
    // A container's variable is in use if there is neither an annotation nor a flag.
    const isOfContainer = token.variables.some(
      (entry) => entry.name === setting && sidecarEnv.includes(entry),
    )
    // The flags that override an annotation are validated.
    const annotation = isOfContainer ? undefined : ACCOUNT_ANNOTATIONS.get(setting)
    return annotation === undefined
      ? `${failure} with ${formatProblem(found)}`
      : formatAccountProblem(annotation, getServiceAccountName(spec), problem)
  })
}

/** Returns the problems of the sidecar's variables, each by itself. Values with $(NAME) are not known yet. */
export function findSettingProblems(sidecarEnv: readonly EnvVar[]): Problem[] {
  const known = sidecarEnv.flatMap(({ name, value }) =>
    typeof value === 'string' && !value.includes('$(') ? [[name, value] as const] : [],
  )
  const values = new Map(known)
  return Object.entries(Settings.shape).flatMap(([setting, schema]) => {
    const value = values.get(setting)
    // An empty variable counts as unset.
    const issues = value ? schema.safeParse(value).error?.issues : undefined
    return (issues ?? []).map(({ message }) => ({ setting, problem: message }))
  })
}

const resources: Check = (_, { settings }) => findResourceProblems(settings.resources)

const REJECTIONS: readonly Check[] = [
  hostNetwork,
  windows,
  azwiProxy,
  reservedNames,
  jobWithoutNativeSidecars,
  ports,
  allowedMode,
  nodeMode,
  passThrough,
  duplicateVariables,
  checkEndpoints({ areRejected: true }),
  tenant,
  sidecarSettings,
  resources,
]

/** Warns of names that no container has: misspelt, or of a container that another webhook adds later. */
const skippedContainers: Check = (pod, { options }) => {
  const present = new Set(allContainers(pod).map(({ name }) => name))
  return [...options.skipped]
    .filter((name) => !present.has(name))
    .map((name) => `wimds.io/skip-containers lists ${name}, and the pod has no such container`)
}

const initContainersWithoutSidecar: Check = ({ spec }, { settings }) =>
  hasClassicSidecar(settings) &&
  (spec.initContainers ?? []).length > 0 &&
  'before Kubernetes 1.29 init containers run without the sidecar'

const clientId: Check = (_, { sidecarEnv, options }) =>
  options.configMap === undefined &&
  sidecarEnv.every(({ name }) => name !== 'AZURE_CLIENT_ID') &&
  'no client id: every token request must name one'

/** Warns of a container whose SDKs ask for another identity than that of the pod, unless several are listed. */
const otherClientId = forApps((container, { sidecarEnv, options }) => {
  const own = getLiteralValue(sidecarEnv.find(({ name }) => name === 'AZURE_CLIENT_ID')) ?? ''
  const other = getLiteralValue(findVariable(container, 'AZURE_CLIENT_ID')) ?? ''
  return (
    options.configMap === undefined &&
    [own, other].every(isGuid) &&
    own.toLowerCase() !== other.toLowerCase() &&
    `the container ${container.name} sets AZURE_CLIENT_ID to ${other}, and the identity of the pod is ${own}. Fix: remove the variable, or give the identity that it names a federated credential for the ServiceAccount of the pod`
  )
})

const noProxyFromElsewhere = forApps(
  (container) =>
    takesNoProxyFromElsewhere(container) &&
    `the container ${container.name} takes NO_PROXY from a ConfigMap or Secret. Fix: make sure that it contains 169.254.169.254`,
)

const sdkCredentials = forApps((container, { options }) => {
  if (!options.usesManagedIdentityOnly) return false
  const { name } = container
  const others = findOtherCredentials(container)
  const own = findVariable(container, SDK_CREDENTIALS)
  if (own === undefined) {
    return (
      others.length > 0 &&
      `the container ${name} has ${others.join(', ')}, so ${SDK_CREDENTIALS} is ManagedIdentityCredential, which DefaultAzureCredential rejects in azure-identity 1.23 for Python, @azure/identity 4.10, azidentity 1.10 for Go, and the first versions for Java (1.16.1) and .NET (1.14) that read it. Fix: use a later version, or remove the other credential`
    )
  }
  const values = [PRODUCTION_CREDENTIALS, MANAGED_IDENTITY_ONLY].map(({ value }) => value)
  return (
    !values.includes(getLiteralValue(own) ?? '') &&
    `the container ${name} sets ${SDK_CREDENTIALS} itself, so wimds.io/sdk-credentials does not change it`
  )
})

const earlierMode: Check = (_, { options, settings: { mode } }) =>
  options.keepsEarlierMode &&
  `the pod keeps mode ${mode} of its earlier injection. Fix: set wimds.io/mode to change it`

const nodeModeWarnings: Check = (pod, plan) =>
  plan.settings.mode === 'node' && findNodeModeWarnings(pod)

const WARNINGS: readonly Check[] = [
  skippedContainers,
  initContainersWithoutSidecar,
  clientId,
  otherClientId,
  noProxyFromElsewhere,
  sdkCredentials,
  checkEndpoints({ areRejected: false }),
  earlierMode,
  nodeModeWarnings,
]
