/** Finds the projected service-account token in a pod: the one that a container names, or a new one. */
import { posix } from 'node:path'
import { isFederationAudience } from '../../lib/clouds.ts'
import {
  allContainers,
  type Container,
  type EnvVar,
  findVariable,
  getLiteralValue,
  type Pod,
  TOKEN_VOLUME,
  type Volume,
  type VolumeMount,
} from '../../kubernetes/pod.ts'

const MOUNT_PATH = '/var/run/secrets/wimds'
const TOKEN_FILE = 'token'

/** The directories in which the sidecar's image lets Node read tokens, by its NODE_OPTIONS. */
export const READABLE = ['/var/run/secrets', '/run/secrets'] as const

/** The lifetime of the token. The kubelet rotates the token after 80 % of it. Entra ID rejects more than 25 hours. */
const EXPIRATION_SECONDS = 3600

/** The variables that the AKS webhook sets together with the token. The sidecar gets them too. */
const AKS_VARIABLES = [
  'AZURE_CLIENT_ID',
  'AZURE_TENANT_ID',
  'AZURE_AUTHORITY_HOST',
  'AZURE_KUBERNETES_TOKEN_PROXY',
  'AZURE_KUBERNETES_SNI_NAME',
  'AZURE_KUBERNETES_CA_FILE',
  'AZURE_KUBERNETES_CA_DATA',
]

/**
 * Returns the token of this pod. The volume sets no `defaultMode`: with the kubelet's default the sidecar can read the file
 * without an `fsGroup`, whatever uids the pod's containers have.
 */
export function findFederatedToken(
  pod: Pod,
  audience: string,
  expirationSeconds = EXPIRATION_SECONDS,
) {
  const tokens = findTokens(pod)
  const found = findNamedToken(pod, tokens)
  const { file, mount } = found ?? mountWhole(TOKEN_VOLUME, TOKEN_FILE)
  const serviceAccountToken = { audience, expirationSeconds, path: TOKEN_FILE }
  const volume: Volume = { name: TOKEN_VOLUME, projected: { sources: [{ serviceAccountToken }] } }
  return {
    /** The path of the token inside the sidecar. */
    file,
    /** Undefined if the volume of the pod names no audience: the token then has the API server's. */
    audience: found === undefined ? audience : (found.audience ?? undefined),
    mount,
    /** The mounts of further tokens for Entra ID, which an identities file may name. */
    otherMounts: findOtherMounts(pod, tokens, mount),
    /** The volume to add; undefined if the pod has it already. */
    volume: found === undefined ? volume : undefined,
    /** The variables that the AKS webhook has set in a container of the pod. An empty value counts as unset. */
    variables: findAksVariables(pod),
  }
}

export type FederatedToken = ReturnType<typeof findFederatedToken>

type Tokens = ReturnType<typeof findTokens>

/** Returns the service-account tokens of each volume that projects any. */
function findTokens({ spec }: Pod) {
  const volumes = (spec.volumes ?? []).map(({ name, projected }) => {
    const sources = projected?.sources ?? []
    return [name, sources.flatMap((source) => source.serviceAccountToken ?? [])] as const
  })
  return new Map(volumes.filter(([, tokens]) => tokens.length > 0))
}

/** Finds the token that AZURE_FEDERATED_TOKEN_FILE of a container names, if the pod projects it. */
function findNamedToken(pod: Pod, tokens: Tokens) {
  for (const container of allContainers(pod)) {
    const file = getLiteralValue(findVariable(container, 'AZURE_FEDERATED_TOKEN_FILE'))
    const mount = file === undefined ? undefined : findMount(container, file)
    if (file === undefined || mount === undefined) continue
    const path = findPathInVolume(file, mount)
    const projected = tokens.get(mount.name) ?? []
    const token = projected.find((each) => posix.normalize(each.path) === path)
    if (token === undefined) continue
    const place = isReadableAsMounted(mount) ? { file, mount } : mountWhole(mount.name, path)
    return { ...place, audience: token.audience }
  }
  return undefined
}

/** Returns true if the sidecar can read the token by this mount. With a `subPath` the kubelet would never update the file. */
function isReadableAsMounted({ mountPath, subPath }: VolumeMount): boolean {
  return !subPath && READABLE.some((directory) => isWithin(mountPath, directory))
}

/** Mounts the whole volume at a path that the sidecar's image may read. */
function mountWhole(name: string, path: string) {
  const mount: VolumeMount = { name, mountPath: MOUNT_PATH, readOnly: true }
  return { file: posix.join(MOUNT_PATH, path), mount }
}

/**
 * Finds where containers mount other volumes with a token for direct federation. A pod that uses one identity by an AKS identity
 * binding and another by direct federation has two tokens in two volumes. Returns one mount for each path.
 */
function findOtherMounts(pod: Pod, tokens: Tokens, own: VolumeMount): VolumeMount[] {
  const mounts = allContainers(pod).flatMap(({ volumeMounts }) => volumeMounts ?? [])
  const paths = new Set([own.mountPath])
  return [...tokens].flatMap(([name, projected]) => {
    const isForEntra = projected.some(({ audience }) => isFederationAudience(audience ?? ''))
    if (!isForEntra || name === own.name) return []
    const found = mounts.find(
      (mount) =>
        mount.name === name &&
        !mount.subPathExpr &&
        !paths.has(mount.mountPath) &&
        isReadableAsMounted(mount),
    )
    if (found === undefined) return []
    paths.add(found.mountPath)
    return [{ name, mountPath: found.mountPath, readOnly: true }]
  })
}

/** Finds the innermost mount that holds the file. Only the kubelet can resolve a `subPathExpr`. */
function findMount({ volumeMounts }: Container, file: string): VolumeMount | undefined {
  return volumeMounts
    ?.filter(({ mountPath, subPathExpr }) => isWithin(file, mountPath) && !subPathExpr)
    .toSorted((one, other) => other.mountPath.length - one.mountPath.length)[0]
}

function isWithin(path: string, directory: string): boolean {
  return addSlash(path).startsWith(addSlash(directory))
}

const addSlash = (path: string) => posix.normalize(`${path}/`)

function findPathInVolume(file: string, { mountPath, subPath }: VolumeMount): string {
  return posix.join(subPath ?? '', posix.relative(mountPath, file))
}

function findAksVariables(pod: Pod): EnvVar[] {
  const container = allContainers(pod).find((each) =>
    findVariable(each, 'AZURE_FEDERATED_TOKEN_FILE'),
  )
  if (container === undefined) return []
  const found = AKS_VARIABLES.flatMap((name) => findVariable(container, name) ?? [])
  return found.filter((entry) => getLiteralValue(entry) !== '')
}
