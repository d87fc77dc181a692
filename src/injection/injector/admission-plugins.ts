/** Keeps what admission plugins of the API server set in an injected pod between two calls of the webhook. */
import {
  allContainers,
  API_ACCESS_DIRECTORY,
  type Container,
  isInjected,
  type Pod,
  SIDECAR,
  type VolumeMount,
} from '../../kubernetes/pod.ts'
import { formatResources, type Resources } from './resources.ts'

/**
 * Returns the sidecar's mount of the Kubernetes API token. The API server adds it to the containers of a
 * pod between two calls of the webhook, and would not add it again. It is rewritten here so that nothing of it is the
 * author's but the volume, which must be a projected one.
 */
export function findApiAccessMount(pod: Pod): VolumeMount | undefined {
  const sidecar = allContainers(pod).find(({ name }) => name === SIDECAR)
  const mount = sidecar?.volumeMounts?.find(({ mountPath }) => mountPath === API_ACCESS_DIRECTORY)
  const volume = pod.spec.volumes?.find(({ name }) => name === mount?.name)
  if (volume === undefined || volume.projected == null) return undefined
  return { name: volume.name, readOnly: true, mountPath: API_ACCESS_DIRECTORY }
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

/**
 * LimitRanger records in this annotation what it has set, as in `LimitRanger plugin set: cpu, memory request for container
 * app; cpu limit for init container wimds`.
 */
const LIMIT_RANGER = 'kubernetes.io/limit-ranger'
const RECORD = /^(.+) (request|limit) for (?:init )?container (\S+)$/

/** Returns the resources with the amounts that LimitRanger has set in this container of the pod, and they do not have. */
function addLimitRangerAmounts(resources: Resources, pod: Pod, old: Container): Resources {
  const added: Record<'request' | 'limit', Record<string, string | number | undefined>> = {
    request: {},
    limit: {},
  }
  const [, records = ''] = pod.metadata?.annotations?.[LIMIT_RANGER]?.split(': ', 2) ?? []
  for (const record of records.split('; ')) {
    const [, kinds = '', amount, name] = RECORD.exec(record) ?? []
    if (name !== old.name) continue
    for (const kind of kinds.split(', ')) {
      if (amount === 'request') added.request[kind] = old.resources?.requests?.[kind]
      else added.limit[kind] = old.resources?.limits?.[kind]
    }
  }
  return formatResources(
    { ...added.request, ...resources?.requests },
    { ...added.limit, ...resources?.limits },
  )
}
