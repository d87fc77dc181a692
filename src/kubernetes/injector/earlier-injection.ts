/** Removes an earlier injection from a pod, so that it can be injected like a new one. */
import { INJECTED } from './annotations.ts'
import { createEndpointVariables, findAddedVariables } from './app-environment.ts'
import { CA_VOLUME, CONFIG_VOLUME } from './containers.ts'
import { TOKEN_VOLUME } from './federated-token.ts'
import {
  allContainers,
  type Container,
  type EnvVar,
  findVariable,
  isInjected,
  getLiteralValue,
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
  const sidecar = findSidecar(pod)
  const [address] =
    getLiteralValue(sidecar && findVariable(sidecar, 'WIMDS_LISTEN'))?.split(',') ?? []
  const variables =
    mode !== 'env' || sidecar === undefined || address === undefined
      ? []
      : createEndpointVariables(address, findVariable(sidecar, 'WIMDS_IDENTITY_HEADER'))
  const added = new Set(variables.map((entry) => JSON.stringify(entry)))

  function removeVariables(container: Container): Container {
    if (skipped.has(container.name) || container.env == null) return container
    const candidates = findAddedVariables(container.env)
    const isAdded = (entry: EnvVar) => candidates.has(entry) && added.has(JSON.stringify(entry))
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

  const { containers, initContainers } = injected.spec
  return {
    ...injected,
    spec: {
      ...injected.spec,
      containers: containers.map(keep),
      ...(initContainers && { initContainers: initContainers.map(keep) }),
    },
  }
}

function findSidecar(pod: Pod): Container | undefined {
  return allContainers(pod).find(({ name }) => name === SIDECAR)
}
