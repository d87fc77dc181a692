/** What LimitRanger and other admission plugins have set in the injected containers. */
import type { Container, Pod } from '../../kubernetes/pod.ts'
import { formatResources } from './resources.ts'

/**
 * Returns the container with what admission plugins have set in it after an earlier call. The plugins run between the two
 * calls and not again, and validate afterwards. If LimitRanger has set amounts of resources, those are kept that the injector
 * does not set; AlwaysPullImages sets the pull policy. An author who forges an earlier injection can set no more than that.
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
 * LimitRanger records in this annotation what it has set, as in `LimitRanger plugin set: cpu, memory request for container
 * app; cpu limit for init container wimds`.
 */
const LIMIT_RANGER = 'kubernetes.io/limit-ranger'

/** Returns true if LimitRanger has set an amount in this container of the pod. */
function hasDefaults({ metadata }: Pod, { name }: Container): boolean {
  const records = metadata?.annotations?.[LIMIT_RANGER]?.split('; ') ?? []
  return records.some((record) => record.endsWith(` container ${name}`))
}
