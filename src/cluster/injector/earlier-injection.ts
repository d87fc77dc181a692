/** Removes an earlier injection from a pod, so that it can be injected like a new one. */
import { isDeepStrictEqual } from 'node:util'
import { INJECTED } from './annotations.ts'
import { createEndpointVariables, findAddedNoProxy, findAddedVariables } from './app-environment.ts'
import { CA_VOLUME, CONFIG_VOLUME } from './containers.ts'
import { TOKEN_VOLUME } from './federated-token.ts'
import {
  allContainers,
  type Container,
  type EnvVar,
  findVariable,
  isInjected,
  getLiteralValue,
  mapContainers,
  type Pod,
  SIDECAR,
  type VolumeMount,
} from './pod.ts'
import { addLimitRangerAmounts } from './resources.ts'

/**
 * Returns the pod without the containers, volumes and variables of an earlier injection, which the
 * annotation `wimds.io/injected` records. Returns a pod without that annotation unchanged.
 *
 * Endpoint variables are removed if the mode was env: in the others they are the author's, as they are in the
 * containers of `skipped`. NO_PROXY stays extended: the injector cannot tell its hosts from those of the author.
 */
export function removeInjection(pod: Pod, skipped: ReadonlySet<string>): Pod {
  const { [INJECTED]: mode, ...annotations } = pod.metadata?.annotations ?? {}
  if (mode === undefined) return pod
  const { containers, initContainers, volumes } = pod.spec
  const clean = (list: readonly Container[]) =>
    list.filter((container) => !isInjected(container)).map(removeVariables)
  const variables = findEndpointVariables(pod)

  function removeVariables(container: Container): Container {
    if (skipped.has(container.name) || container.env == null) return container
    const candidates = findAddedVariables(container.env)
    const isAdded = (entry: EnvVar) => candidates.has(entry) && isOneOf(variables, entry)
    return { ...container, env: container.env.filter((entry) => !isAdded(entry)) }
  }

  return {
    ...pod,
    metadata: { ...pod.metadata, annotations },
    spec: {
      ...pod.spec,
      containers: clean(containers),
      ...(initContainers && { initContainers: clean(initContainers) }),
      ...(volumes && { volumes: volumes.filter(({ name }) => !isReservedVolume(name)) }),
    },
  }
}

/** Returns the endpoint variables of an earlier injection in mode env, by its sidecar; none of other modes. */
export function findEndpointVariables(pod: Pod): readonly EnvVar[] {
  const sidecar = findSidecar(pod)
  if (pod.metadata?.annotations?.[INJECTED] !== 'env' || sidecar === undefined) return []
  const [address] = getLiteralValue(findVariable(sidecar, 'WIMDS_LISTEN'))?.split(',') ?? []
  if (address === undefined) return []
  return createEndpointVariables(address, findVariable(sidecar, 'WIMDS_IDENTITY_HEADER'))
}

/**
 * Warns of variables that have the value of one of injection's and may be the author's or injection's: those that were
 * removed from containers to which it added no NO_PROXY, and those that were left.
 */
export function findUncertain(before: Pod, after: Pod, variables: readonly EnvVar[]): string[] {
  const containersBefore = new Map(allContainers(before).map((each) => [each.name, each]))
  const removed: string[] = []
  const left: string[] = []
  const note = (list: string[], container: Container, entries: readonly EnvVar[]) => {
    const names = entries.filter((entry) => isOneOf(variables, entry)).map(({ name }) => name)
    if (names.length > 0) list.push(`${names.join(', ')} of ${container.name}`)
  }
  for (const container of allContainers(after)) {
    const env = container.env ?? []
    const names = new Set(env.map(({ name }) => name))
    const old = containersBefore.get(container.name)?.env ?? []
    const isCertain = findAddedNoProxy(old) !== -1
    note(removed, container, isCertain ? [] : old.filter(({ name }) => !names.has(name)))
    note(left, container, env)
  }
  return [
    ...(removed.length === 0
      ? []
      : [`removed: ${removed.join('; ')}. Fix: add it again if it is yours`]),
    ...(left.length === 0
      ? []
      : [`left as it is: ${left.join('; ')}. Fix: delete it if it is not yours`]),
  ]
}

function isOneOf(variables: readonly EnvVar[], entry: EnvVar): boolean {
  return variables.some((each) => isDeepStrictEqual(each, entry))
}

/** Returns true for the names of the volumes that the injector adds. */
export function isReservedVolume(name: string): boolean {
  return name === TOKEN_VOLUME || name === CONFIG_VOLUME || name === CA_VOLUME
}

const API_ACCESS_PATH = '/var/run/secrets/kubernetes.io/serviceaccount'

/**
 * Returns the sidecar's mount of the Kubernetes API token. The API server adds it to the containers of a
 * pod between two calls of the webhook, and would not add it again. It is rewritten here so that nothing of it is the
 * author's but the volume, which must be a projected one.
 */
export function findApiAccessMount(pod: Pod): VolumeMount | undefined {
  const mount = findSidecar(pod)?.volumeMounts?.find(
    ({ mountPath }) => mountPath === API_ACCESS_PATH,
  )
  const volume = pod.spec.volumes?.find(({ name }) => name === mount?.name)
  if (volume === undefined || volume.projected == null) return undefined
  return { name: volume.name, readOnly: true, mountPath: API_ACCESS_PATH }
}

/**
 * Returns the injected pod with what admission plugins have set in the containers of an earlier call: they run
 * between the two calls and not again, and validate afterwards. Of the amounts of resources that LimitRanger has set,
 * those are kept that the injector does not set; AlwaysPullImages sets the pull policy. An author who forges an earlier
 * injection can set no more than that.
 */
export function keepPluginDefaults(injected: Pod, before: Pod): Pod {
  const earlier = new Map(allContainers(before).map((container) => [container.name, container]))

  function keep(container: Container): Container {
    const old = isInjected(container) ? earlier.get(container.name) : undefined
    if (old === undefined) return container
    return {
      ...container,
      ...(old['imagePullPolicy'] === 'Always' && { imagePullPolicy: 'Always' }),
      resources: addLimitRangerAmounts(container.resources, before, old),
    }
  }

  return mapContainers(injected, keep)
}

function findSidecar(pod: Pod): Container | undefined {
  return allContainers(pod).find(({ name }) => name === SIDECAR)
}
