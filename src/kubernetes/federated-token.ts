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

const OWN_VOLUME = 'wimds-token'
const OWN_MOUNT_PATH = '/var/run/secrets/wimds'
const TOKEN_FILE = 'token'

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
    if (file && mount && volume && tokenPath(volume) !== undefined) return { file, mount }
  }
  return undefined
}

/** The AKS webhook's volume, by its name, where no container says where it is mounted. */
function aksVolume(pod: Pod): Found | undefined {
  const volume = pod.spec.volumes?.find(({ name }) => AKS_VOLUME.test(name))
  const path = volume === undefined ? undefined : tokenPath(volume)
  if (volume === undefined || path === undefined) return undefined
  return {
    file: posix.join(AKS_MOUNT_PATH, path),
    mount: { name: volume.name, mountPath: AKS_MOUNT_PATH, readOnly: true },
  }
}

function mountOf(container: Container, file: string): VolumeMount | undefined {
  return container.volumeMounts?.find(({ mountPath }) => file.startsWith(`${mountPath}/`))
}

/** The path of the service-account token inside the volume. */
function tokenPath({ projected }: Volume): string | undefined {
  return projected?.sources?.find((source) => source.serviceAccountToken != null)
    ?.serviceAccountToken?.path
}

function aksVariables(pod: Pod): EnvVar[] {
  const told = ownContainers(pod).find((each) => envVar(each, 'AZURE_FEDERATED_TOKEN_FILE'))
  if (told === undefined) return []
  return AKS_VARIABLES.flatMap((name) => envVar(told, name) ?? [])
}
