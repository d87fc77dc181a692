/** The two injected containers: the sidecar, and the init container that makes the redirect. */
import { type Container, REDIRECT, SIDECAR, type Pod, isWindows } from './pod.ts'
import { CONFIG_DIRECTORY, type Plan } from './plan.ts'
import { resourcesFor } from './resources.ts'
import { CONFIG_VOLUME } from './volumes.ts'

/**
 * The sidecar. Its start-up probe holds back the pod's own init containers until it serves.
 *
 * It has no readiness probe: a sidecar's readiness counts for the whole pod, and an app that is
 * well must not leave its Service because the sidecar answers a probe late. Where the operator
 * wants apps to wait for prefetched tokens, starting waits for them.
 */
export function sidecar(pod: Pod, plan: Plan): Container {
  const { settings, wishes, token, environment } = plan
  const waitsForPrefetch = environment.some(
    ({ name, value }) => name === 'WIMDS_READY_AFTER_PREFETCH' && value === 'true',
  )
  const probe = (path: string) => ({ httpGet: { path, port: settings.adminPort } })
  const configMount = { name: CONFIG_VOLUME, mountPath: CONFIG_DIRECTORY, readOnly: true }
  return {
    name: SIDECAR,
    image: settings.image,
    args: ['serve'],
    ...(settings.hasNativeSidecars && { restartPolicy: 'Always' }),
    env: [...environment],
    ports: [{ name: 'wimds-admin', containerPort: settings.adminPort }],
    startupProbe: {
      ...probe(waitsForPrefetch ? '/readyz' : '/healthz'),
      periodSeconds: 1,
      timeoutSeconds: 5,
      failureThreshold: 60,
    },
    livenessProbe: { ...probe('/healthz'), periodSeconds: 10, timeoutSeconds: 5 },
    resources: resourcesFor(pod, settings.resources),
    securityContext: isWindows(pod)
      ? { runAsNonRoot: true }
      : {
          ...(settings.uid !== undefined && { runAsUser: settings.uid }),
          runAsNonRoot: true,
          ...HARDENED,
          capabilities: { drop: ['ALL'] },
        },
    volumeMounts: [token.mount, ...(wishes.configMap === undefined ? [] : [configMount])],
  }
}

/** The init container: root, since adding rules needs it, with NET_ADMIN and nothing else. */
export function redirectContainer(pod: Pod, { settings, isPassingThrough }: Plan): Container {
  const { mode, port, uid, redirectImage } = settings
  const passThrough = isPassingThrough ? ['--pass-through', `--uid=${uid}`] : []
  return {
    name: REDIRECT,
    image: redirectImage,
    args: ['redirect', `--mode=${mode}`, `--port=${port}`, ...passThrough],
    resources: resourcesFor(pod, settings.resources),
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
