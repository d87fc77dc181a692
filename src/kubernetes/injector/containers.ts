/** The containers and volumes that the injector adds. */
import { CONFIG_DIRECTORY, type Plan } from './plan.ts'
import {
  type Container,
  type Pod,
  REDIRECT,
  SIDECAR,
  type Volume,
  type VolumeMount,
} from './pod.ts'
import { createResources } from './resources.ts'

/** The volume of the ConfigMap with the identities file. */
export const CONFIG_VOLUME = 'wimds-config'

/**
 * Creates the sidecar. Its start-up probe delays the pod's own init containers until it serves.
 *
 * It has no readiness probe: the readiness of a native sidecar counts for the pod's, and a healthy app
 * must not leave its Service because the sidecar answers a probe late. Where apps have to wait for
 * prefetched tokens (WIMDS_READY_AFTER_PREFETCH), the start-up probe waits for them.
 */
export function createSidecar(pod: Pod, plan: Plan, mounts: readonly VolumeMount[]): Container {
  const { settings, options, token, sidecarEnv } = plan
  const waitsForPrefetch = sidecarEnv.some(
    ({ name, value }) => name === 'WIMDS_READY_AFTER_PREFETCH' && value === 'true',
  )
  const probe = (path: string) => ({ httpGet: { path, port: settings.adminPort } })
  const configMount = { name: CONFIG_VOLUME, mountPath: CONFIG_DIRECTORY, readOnly: true }
  return {
    name: SIDECAR,
    image: settings.image,
    args: ['serve'],
    ...(settings.hasNativeSidecars && { restartPolicy: 'Always' }),
    env: [...sidecarEnv],
    ports: [{ name: 'wimds-admin', containerPort: settings.adminPort }],
    startupProbe: {
      ...probe(waitsForPrefetch ? '/readyz' : '/healthz'),
      periodSeconds: 1,
      timeoutSeconds: 5,
      failureThreshold: 60,
    },
    livenessProbe: { ...probe('/healthz'), periodSeconds: 10, timeoutSeconds: 5 },
    resources: createResources(pod, settings.resources),
    securityContext: {
      ...(settings.uid !== undefined && { runAsUser: settings.uid }),
      runAsNonRoot: true,
      ...HARDENED,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      token.mount,
      ...(options.configMap === undefined ? [] : [configMount]),
      ...mounts,
    ],
  }
}

/** Creates the init container of the redirect. Adding rules needs root and NET_ADMIN, and nothing else. */
export function createRedirectContainer(pod: Pod, { settings, hasPassThrough }: Plan): Container {
  const { mode, port, uid, redirectImage } = settings
  const passThrough = hasPassThrough ? ['--pass-through', `--uid=${uid}`] : []
  return {
    name: REDIRECT,
    image: redirectImage,
    args: ['redirect', `--mode=${mode}`, `--port=${port}`, ...passThrough],
    resources: createResources(pod, settings.resources),
    securityContext: {
      runAsUser: 0,
      runAsNonRoot: false,
      ...HARDENED,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] },
    },
  }
}

const HARDENED = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  seccompProfile: { type: 'RuntimeDefault' },
}

/** Creates the volumes that the sidecar mounts and the pod does not have. */
export function createVolumes({ token, options: { configMap } }: Plan): Volume[] {
  return [
    ...(token.volume === undefined ? [] : [token.volume]),
    ...(configMap === undefined ? [] : [{ name: CONFIG_VOLUME, configMap: { name: configMap } }]),
  ]
}
