/** The pod's volumes: those that injection adds, and those of others that have their names. */
import { isDeepStrictEqual } from 'node:util'
import { OWN_VOLUME, TOKEN_FILE } from './federated-token.ts'
import { withLast } from './merge.ts'
import type { Plan } from './plan.ts'
import { type Container, type Pod, type Volume, ownContainers } from './pod.ts'

/** Volume of the ConfigMap with the identities file. */
export const CONFIG_VOLUME = 'wimds-config'

/** What of the pod's spec the volumes change: nothing where they are all there. */
export function withVolumes(pod: Pod, { token, wishes }: Plan): Partial<Pod['spec']> {
  const present = pod.spec.volumes ?? []
  const withToken = token.volume === undefined ? present : withLast(present, token.volume, 'name')
  const config = { name: CONFIG_VOLUME, configMap: { name: wishes.configMap } }
  const volumes = wishes.configMap === undefined ? withToken : withLast(withToken, config, 'name')
  return isDeepStrictEqual(volumes, present) ? {} : { volumes }
}

/**
 * Our volumes of an earlier injection that nothing uses now. They stay: a list of the user's own
 * loses nothing.
 */
export function outdatedVolumes(pod: Pod, { earlier, wishes }: Plan): Volume[] {
  if (wishes.configMap !== undefined || earlier === undefined || !mountsConfig(earlier)) return []
  if (ownContainers(pod).some(mountsConfig)) return []
  return (pod.spec.volumes ?? []).filter(({ name }) => name === CONFIG_VOLUME)
}

function mountsConfig({ volumeMounts }: Container): boolean {
  return volumeMounts?.some(({ name }) => name === CONFIG_VOLUME) === true
}

/** Volumes that have the names of ours and are something else: ours cannot be put into them. */
export function strangersOfOurNames(pod: Pod, plan: Plan): Volume[] {
  return (pod.spec.volumes ?? []).filter(
    (volume) =>
      (volume.name === OWN_VOLUME && !isOwnToken(volume, plan)) ||
      (volume.name === CONFIG_VOLUME && !isOwnConfig(volume, plan)),
  )
}

/** The one token at our path; for whom it is may have been another audience at an earlier injection. */
function isOwnToken(volume: Volume, { wishes, settings }: Plan): boolean {
  const [source, ...others] = volume.projected?.sources ?? []
  const token = source?.serviceAccountToken
  const isAsWritten = token?.path === TOKEN_FILE && others.length === 0
  const isForUs = wishes.injected !== undefined || token?.['audience'] === settings.audience
  return isOfType(volume, 'projected') && isAsWritten && isForUs
}

/** Nothing is done to the volume where no ConfigMap is asked for. */
function isOwnConfig(volume: Volume, { wishes }: Plan): boolean {
  if (wishes.configMap === undefined) return true
  const isSame = volume.configMap?.name === wishes.configMap
  return isOfType(volume, 'configMap') && (wishes.injected !== undefined || isSame)
}

/** True if the volume has this type and no other. */
function isOfType(volume: Volume, type: string): boolean {
  const given = Object.keys(volume).filter((key) => key !== 'name' && volume[key] != null)
  return given.length === 1 && given[0] === type
}
