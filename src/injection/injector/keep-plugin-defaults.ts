/** Keeps the defaults that LimitRanger and AlwaysPullImages have set in the injected containers. */
import type { Container, Pod } from '../../kubernetes/pod.ts'
import { formatResources } from './resources.ts'

/**
 * Returns the container with the defaults that admission plugins have set in it since an earlier call of the webhook. The plugins
 * set them only between the two calls, and validate the pod afterwards. Keeps the amounts of resources that LimitRanger has set and
 * the injector does not set, and the pull policy of AlwaysPullImages. An author who forges an earlier injection can set nothing
 * else.
 */
export function keepPluginDefaults(container: Container, before: Pod): Container {
  const old = before.spec.initContainers?.find(({ name }) => name === container.name)
  if (old === undefined) return container
  const { resources } = container
  return {
    ...container,
    ...(old['imagePullPolicy'] === 'Always' && { imagePullPolicy: 'Always' }),
    ...(hasDefaults(before, old) && {
      resources: formatResources(
        { ...old.resources?.requests, ...resources?.requests },
        { ...old.resources?.limits, ...resources?.limits },
      ),
    }),
  }
}

/**
 * The annotation in which LimitRanger records the amounts that it has set, as in `LimitRanger plugin set: cpu, memory request for
 * container app; cpu limit for init container wimds`.
 */
const LIMIT_RANGER = 'kubernetes.io/limit-ranger'

/** Returns true if LimitRanger has set an amount in this container of the pod. */
function hasDefaults({ metadata }: Pod, { name }: Container): boolean {
  const records = metadata?.annotations?.[LIMIT_RANGER]?.split('; ') ?? []
  return records.some((record) => record.endsWith(` container ${name}`))
}
