/** Why a pod cannot be injected, each reason with what to change. */
import { parseSettings } from '../../config/settings.ts'
import { conflictingVariables } from './app-environment.ts'
import { INJECTED, incumbentActs } from './annotations.ts'
import {
  type Pod,
  SIDECAR,
  accountNameOf,
  allContainers,
  isInjected,
  isWindows,
  ownContainers,
} from './pod.ts'
import type { Plan } from './plan.ts'
import { resourceMistakes } from './resources.ts'
import { NATIVE_SIDECARS_SINCE } from './settings.ts'
import { strangersOfOurNames } from './volumes.ts'

/** All reasons at once; none means that the pod can be injected. */
export function refusalsOf(pod: Pod, plan: Plan): string[] {
  return [...plan.wishes.mistakes, ...CHECKS.flatMap((check) => check(pod, plan))]
}

type Check = (pod: Pod, plan: Plan) => readonly string[]

const hostNetwork: Check = ({ spec }) =>
  spec.hostNetwork === true
    ? [
        'a pod with hostNetwork shares its addresses with the whole node, which would get its tokens; remove hostNetwork',
      ]
    : []

const windows: Check = (pod, { settings: { mode } }) =>
  isWindows(pod) && mode !== 'env'
    ? [`mode ${mode} needs Linux and this pod runs on Windows; set wimds.io/mode: env`]
    : []

const incumbent: Check = (pod) => {
  if (allContainers(pod).some(({ name }) => /^azwi-proxy(?:-init)?$/.test(name))) {
    return [
      'the pod already holds azwi-proxy; remove it, and the annotation azure.workload.identity/inject-proxy-sidecar that asks for it',
    ]
  }
  return incumbentActs(pod)
    ? [
        'the Azure workload identity webhook would add azwi-proxy as well; remove the annotation azure.workload.identity/inject-proxy-sidecar',
      ]
    : []
}

const injectedOtherwise: Check = (pod, { settings: { mode }, wishes: { injected } }) => {
  if (injected !== undefined && injected !== mode) {
    return [
      `the pod was injected in mode ${injected} and is now to be injected in mode ${mode}; inject the original manifest`,
    ]
  }
  const taken = allContainers(pod).find(isInjected)
  return injected === undefined && taken !== undefined
    ? [`the pod has a container ${taken.name} without the annotation ${INJECTED}; rename it`]
    : []
}

/** Beside a sidecar of the other form there would be two containers of its name. */
const injectedInOtherForm: Check = ({ spec }, { settings, wishes: { injected } }) => {
  const others = settings.hasNativeSidecars ? spec.containers : (spec.initContainers ?? [])
  if (injected === undefined || !others.some(({ name }) => name === SIDECAR)) return []
  const before = `before 1.${NATIVE_SIDECARS_SINCE}`
  const since = `from 1.${NATIVE_SIDECARS_SINCE} on`
  const [was, is] = settings.hasNativeSidecars ? [before, since] : [since, before]
  return [
    `the pod was injected for Kubernetes ${was} and is now to be injected for Kubernetes ${is}; inject the original manifest`,
  ]
}

const reservedVolumes: Check = (pod, plan) =>
  strangersOfOurNames(pod, plan).map(
    ({ name }) => `the pod has a volume ${name} that is not of its injection; rename it`,
  )

const jobWithoutNativeSidecars: Check = ({ spec }, { settings: { hasNativeSidecars } }) =>
  !hasNativeSidecars && (spec.restartPolicy ?? 'Always') !== 'Always'
    ? [
        'a pod that runs to completion would never complete beside a sidecar before Kubernetes 1.29; upgrade the cluster',
      ]
    : []

const ports: Check = (pod, { settings: { port, adminPort } }) => {
  if (port === adminPort) return [`port and admin port are both ${port}; set wimds.io/port`]
  const clashes = (wanted: number, annotation: string) =>
    ownContainers(pod)
      .filter((each) => each.ports?.some(({ containerPort }) => containerPort === wanted))
      .map(({ name }) => `the container ${name} uses port ${wanted}; set ${annotation} to another`)
  return [...clashes(port, 'wimds.io/port'), ...clashes(adminPort, 'wimds.io/admin-port')]
}

const passThrough: Check = (pod, { isPassingThrough, settings: { mode, uid } }) => {
  if (!isPassingThrough) return []
  if (mode !== 'nft') return [`pass-through needs mode nft, not ${mode}; set wimds.io/mode: nft`]
  if (uid === undefined) return ['pass-through needs a known uid for the sidecar; set one']
  return ownContainers(pod)
    .filter(
      ({ securityContext }) =>
        (securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser) === uid,
    )
    .map(
      ({ name }) =>
        `the container ${name} runs as uid ${uid}, which is exempt from the redirect with pass-through; give it another runAsUser`,
    )
}

const endpointSwitches: Check = (pod, plan) =>
  plan.settings.mode !== 'env'
    ? []
    : ownContainers(pod)
        .filter(({ name }) => !plan.wishes.skipped.has(name))
        .flatMap((container) =>
          conflictingVariables(container, plan).map(
            (variable) =>
              `the container ${container.name} sets ${variable}, which leads SDKs elsewhere; remove it, or name the container in wimds.io/skip-containers`,
          ),
        )

const tenant: Check = ({ spec }, { environment }) =>
  environment.some(({ name }) => name === 'AZURE_TENANT_ID')
    ? []
    : [
        `no tenant id: annotate the ServiceAccount ${accountNameOf(spec)} with azure.workload.identity/tenant-id (wimds inject looks for it in its input, same namespace, or takes --tenant-id)`,
      ]

/** Better told here than by a sidecar that does not start. What Kubernetes puts together is not known yet. */
const sidecarSettings: Check = (_, { environment }) => {
  const known = environment.flatMap(({ name, value }) =>
    typeof value === 'string' && !value.includes('$(') ? [[name, value] as const] : [],
  )
  return parseSettings(Object.fromEntries(known)).problems.map(
    (mistake) => `the sidecar could not start with ${mistake}`,
  )
}

const resources: Check = (_, { settings }) => resourceMistakes(settings.resources)

const CHECKS: readonly Check[] = [
  hostNetwork,
  windows,
  incumbent,
  injectedOtherwise,
  injectedInOtherForm,
  reservedVolumes,
  jobWithoutNativeSidecars,
  ports,
  passThrough,
  endpointSwitches,
  tenant,
  sidecarSettings,
  resources,
]
