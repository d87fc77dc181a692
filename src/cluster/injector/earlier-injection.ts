/** Removes an earlier injection from a pod, so that it can be injected like a new one. */
import { CA_VOLUME, CONFIG_VOLUME } from './containers.ts'
import { TOKEN_VOLUME } from './federated-token.ts'
import { findChange, INJECTED, type InjectionRecord } from './injection-record.ts'
import {
  allContainers,
  type Container,
  isInjected,
  mapContainers,
  type Pod,
  SIDECAR,
  type VolumeMount,
} from './pod.ts'
import { addLimitRangerAmounts } from './resources.ts'

/**
 * Returns the pod without what the record says that injection added. A variable that was edited since stays. A list
 * or map that injection alone had filled is dropped.
 */
export function removeInjection(pod: Pod, record: InjectionRecord): Pod {
  const restore = (container: Container) =>
    reduce(container, 'env', (env) =>
      env.flatMap((entry) => {
        const change = findChange(record, container, entry)
        if (change === undefined || change.isEdited) return [entry]
        return change.before === null ? [] : [{ ...entry, value: change.before }]
      }),
    )
  const clean = (list: Container[]) => list.filter((each) => !isInjected(each)).map(restore)
  const spec = reduce(
    { ...pod.spec, containers: clean(pod.spec.containers) },
    'initContainers',
    clean,
  )
  return reduce(
    {
      ...pod,
      spec: reduce(spec, 'volumes', (volumes) =>
        volumes.filter(({ name }) => !isReservedVolume(name)),
      ),
    },
    'metadata',
    (metadata) =>
      reduce(metadata, 'annotations', (annotations) => {
        const { [INJECTED]: _, ...others } = annotations
        return others
      }),
  )
}

/** Returns the object with less in a member, and without the member if nothing is left in it. */
function reduce<T extends object, K extends keyof T>(
  object: T,
  name: K,
  change: (member: NonNullable<T[K]>) => T[K],
): T {
  const { [name]: member, ...others } = object
  if (member == null || isEmpty(member)) return object
  const left = change(member)
  // oxlint-disable-next-line no-unsafe-type-assertion -- the members that are dropped are optional
  return isEmpty(left) ? (others as unknown as T) : { ...object, [name]: left }
}

function isEmpty(value: unknown): boolean {
  return Object.keys(value ?? {}).length === 0
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
  const sidecar = allContainers(pod).find(({ name }) => name === SIDECAR)
  const mount = sidecar?.volumeMounts?.find(({ mountPath }) => mountPath === API_ACCESS_PATH)
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
