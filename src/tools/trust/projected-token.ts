/** Finds out which audience the projected token of a pod has, and so where it is exchanged. */
import { posix } from 'node:path'
import { isFederationAudience } from '../../lib/clouds.ts'
import { findFederatedToken } from '../../injection/injector/federated-token.ts'
import { allContainers, findVariable, type Pod } from '../../kubernetes/pod.ts'
import { AZWI_PREFIX } from '../../kubernetes/service-account.ts'

/** The use of a token that goes to the token proxy of an AKS identity binding. */
export const BINDING = Symbol('identity binding')

/** The audience of a token for Entra ID, or `BINDING`. */
export type TokenUse = string | typeof BINDING

const USE_BINDING = `${AZWI_PREFIX}use-identity-binding`

/** Returns the use of the token that the sidecar gets by default. */
export function findMainToken(pod: Pod, defaultAudience: string): TokenUse {
  const { audience, volume } = findFederatedToken(pod, defaultAudience)
  if (volume === undefined && audience !== undefined) return classify(pod, audience)
  return usesBinding(pod) ? BINDING : defaultAudience
}

/** Returns the use of the token at a path; the default audience if the pod projects no token there. */
export function findTokenAt(pod: Pod, file: string, defaultAudience: string): TokenUse {
  const audience = findProjectedAudience(pod, file)
  return audience === undefined ? defaultAudience : classify(pod, audience)
}

/** Decides as the sidecar does: with a token proxy, only tokens of direct federation go to Entra ID. */
function classify(pod: Pod, audience: string): TokenUse {
  return usesBinding(pod) && !isFederationAudience(audience) ? BINDING : audience
}

function usesBinding(pod: Pod): boolean {
  return (
    pod.metadata?.annotations?.[USE_BINDING] === 'true' ||
    allContainers(pod).some((each) => findVariable(each, 'AZURE_KUBERNETES_TOKEN_PROXY'))
  )
}

function findProjectedAudience(pod: Pod, file: string): string | undefined {
  const mounts = allContainers(pod).flatMap(({ volumeMounts }) => volumeMounts ?? [])
  for (const { name, mountPath } of mounts) {
    const volume = pod.spec.volumes?.find((each) => each.name === name)
    for (const { serviceAccountToken } of volume?.projected?.sources ?? []) {
      if (serviceAccountToken == null) continue
      const path = posix.join(mountPath, serviceAccountToken.path)
      if (path === posix.normalize(file)) return serviceAccountToken.audience ?? undefined
    }
  }
  return undefined
}
