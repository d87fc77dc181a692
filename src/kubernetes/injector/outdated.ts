/** What an earlier injection wrote into one of our containers and this one does not want. */
import { OWN_VOLUME } from './federated-token.ts'
import { type Container, type VolumeMount, plainValue } from './pod.ts'
import { CONFIG_VOLUME } from './volumes.ts'

/** Variables that come from what the pod's annotations say. Any other may be from somebody else. */
const ANNOTATED: ReadonlySet<string> = new Set([
  'WIMDS_LISTEN',
  'WIMDS_ADMIN_LISTEN',
  'WIMDS_CONFIG',
  'WIMDS_PREFETCH',
  'WIMDS_PASS_THROUGH',
  'WIMDS_IDENTITY_HEADER',
])

/**
 * The container as it is in the pod, without what the wanted one has no longer: variables, ports and
 * mounts. What others may have set stays.
 */
export function withoutOutdated(present: Container, wanted: Container): Container {
  const names = new Set(wanted.env?.map(({ name }) => name))
  const env = present.env?.filter(({ name }) => names.has(name) || !ANNOTATED.has(name))
  const ports = present.ports?.filter((each) =>
    (wanted.ports ?? []).every(
      ({ name, containerPort }) => name !== each.name || containerPort === each.containerPort,
    ),
  )
  const volumeMounts = present.volumeMounts?.filter(
    (mount) => !isOurs(mount, present) || wanted.volumeMounts?.some((each) => isSame(each, mount)),
  )
  return {
    ...present,
    ...(env && { env }),
    ...(ports && { ports }),
    ...(volumeMounts && { volumeMounts }),
  }
}

/** True for the mounts of our volumes, and for the one that holds the token. */
function isOurs({ name, mountPath }: VolumeMount, container: Container): boolean {
  const token = plainValue(container, 'AZURE_FEDERATED_TOKEN_FILE')
  const holdsToken = token?.startsWith(`${mountPath}/`) === true
  return name === OWN_VOLUME || name === CONFIG_VOLUME || holdsToken
}

function isSame(one: VolumeMount, other: VolumeMount): boolean {
  return one.name === other.name && one.mountPath === other.mountPath
}
