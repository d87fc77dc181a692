/** Where the sidecar finds the projected service-account token: AKS's own volume, or one of ours. */
import { posix } from 'node:path'
import {
  type Container,
  type EnvVar,
  type Pod,
  type Volume,
  type VolumeMount,
  envVar,
  ownContainers,
  plainValue,
} from './pod.ts'

export const OWN_VOLUME = 'wimds-token'
const OWN_MOUNT_PATH = '/var/run/secrets/wimds'
export const TOKEN_FILE = 'token'

/** Below these the sidecar's image lets Node read, by its NODE_OPTIONS. */
export const READABLE = ['/var/run/secrets', '/run/secrets'] as const

/** The kubelet renews the token at 80 % of this; Entra takes none that is valid for longer than a day. */
const EXPIRATION_SECONDS = 3600

/** Names that the AKS webhook gives its volume, before and since its release 1.6. */
const AKS_VOLUME = /^azure-identity-token$|^azure-workload-identity-reserved-/
const AKS_MOUNT_PATH = '/var/run/secrets/azure/tokens'

/** What the AKS webhook tells a container beside the token's place, for the sidecar to know too. */
const AKS_VARIABLES = [
  'AZURE_CLIENT_ID',
  'AZURE_TENANT_ID',
  'AZURE_AUTHORITY_HOST',
  'AZURE_KUBERNETES_TOKEN_PROXY',
  'AZURE_KUBERNETES_SNI_NAME',
  'AZURE_KUBERNETES_CA_FILE',
  'AZURE_KUBERNETES_CA_DATA',
]

export interface FederatedToken {
  readonly file: string
  readonly mount: VolumeMount
  /** The volume to add; undefined when the pod has it already. */
  readonly volume: Volume | undefined
  /** What the AKS webhook said beside it. */
  readonly variables: readonly EnvVar[]
}

/**
 * The token's place in this pod. No mode is set for the file: the kubelet's default is readable for
 * the sidecar whatever uids the pod's containers have, and needs no `fsGroup`.
 */
export function federatedToken(pod: Pod, audience: string): FederatedToken {
  const hasOwn = pod.spec.volumes?.some(({ name }) => name === OWN_VOLUME) === true
  const found = hasOwn ? undefined : (pointedAt(pod) ?? aksVolume(pod))
  if (found !== undefined) return { ...found, volume: undefined, variables: aksVariables(pod) }
  const serviceAccountToken = { audience, expirationSeconds: EXPIRATION_SECONDS, path: TOKEN_FILE }
  return {
    file: `${OWN_MOUNT_PATH}/${TOKEN_FILE}`,
    mount: { name: OWN_VOLUME, mountPath: OWN_MOUNT_PATH, readOnly: true },
    volume: { name: OWN_VOLUME, projected: { sources: [{ serviceAccountToken }] } },
    variables: aksVariables(pod),
  }
}

type Found = Pick<FederatedToken, 'file' | 'mount'>

/** The token that a container's AZURE_FEDERATED_TOKEN_FILE names, if the pod projects it. */
function pointedAt(pod: Pod): Found | undefined {
  for (const container of ownContainers(pod)) {
    const file = plainValue(container, 'AZURE_FEDERATED_TOKEN_FILE')
    const mount = file === undefined ? undefined : mountOf(container, file)
    const volume = pod.spec.volumes?.find(({ name }) => name === mount?.name)
    if (file === undefined || mount === undefined || volume === undefined) continue
    const path = pathInVolume(file, mount)
    if (!tokenPaths(volume).includes(path)) continue
    return isUsableAsItIs(mount) ? { file, mount } : ownMount(volume, path)
  }
  return undefined
}

/** The kubelet never renews what is mounted by a `subPath`. */
function isUsableAsItIs({ mountPath, subPath }: VolumeMount): boolean {
  return !subPath && READABLE.some((directory) => isWithin(mountPath, directory))
}

/** The volume, whole, where the image may read it. */
function ownMount({ name }: Volume, path: string): Found {
  return {
    file: posix.join(OWN_MOUNT_PATH, path),
    mount: { name, mountPath: OWN_MOUNT_PATH, readOnly: true },
  }
}

/** The AKS webhook's volume, by its name, where no container says where it is mounted. */
function aksVolume(pod: Pod): Found | undefined {
  const volume = pod.spec.volumes?.find(({ name }) => AKS_VOLUME.test(name))
  const [path] = volume === undefined ? [] : tokenPaths(volume)
  if (volume === undefined || path === undefined) return undefined
  return {
    file: posix.join(AKS_MOUNT_PATH, path),
    mount: { name: volume.name, mountPath: AKS_MOUNT_PATH, readOnly: true },
  }
}

/** The innermost mount that holds the file. A `subPathExpr` is for the kubelet to know. */
function mountOf({ volumeMounts }: Container, file: string): VolumeMount | undefined {
  return volumeMounts
    ?.filter(({ mountPath, subPathExpr }) => isWithin(file, mountPath) && !subPathExpr)
    .toSorted((one, other) => other.mountPath.length - one.mountPath.length)[0]
}

function isWithin(path: string, directory: string): boolean {
  return withSlash(path).startsWith(withSlash(directory))
}

const withSlash = (path: string) => posix.normalize(`${path}/`)

function pathInVolume(file: string, { mountPath, subPath }: VolumeMount): string {
  return posix.join(subPath ?? '', posix.relative(mountPath, file))
}

/** The paths of the service-account tokens inside the volume. */
function tokenPaths({ projected }: Volume): string[] {
  return (projected?.sources ?? []).flatMap(({ serviceAccountToken }) =>
    serviceAccountToken == null ? [] : posix.normalize(serviceAccountToken.path),
  )
}

function aksVariables(pod: Pod): EnvVar[] {
  const told = ownContainers(pod).find((each) => envVar(each, 'AZURE_FEDERATED_TOKEN_FILE'))
  if (told === undefined) return []
  return AKS_VARIABLES.flatMap((name) => envVar(told, name) ?? [])
}
