/** The containers and volumes that the injector adds. */
import { START_WAIT_SECONDS } from '../../lib/wait-for-port.ts'
import { CA_DIRECTORY, CA_FILE_NAME, CONFIG_DIRECTORY, type Plan } from './plan.ts'
import {
  CA_VOLUME,
  CONFIG_VOLUME,
  type Container,
  type Pod,
  REDIRECT,
  SIDECAR,
  type Volume,
  type VolumeMount,
  WAIT,
} from './pod.ts'
import { createResources } from './resources.ts'
import type { ObjectKey } from './settings.ts'

/**
 * Creates the sidecar. No probe reaches it over the network: a mesh that redirects inbound connections to
 * its own proxy, which starts later, would make the kubelet's probe fail for ever. The init container
 * after it waits for its port inside the pod instead. Where there is none, its start hook delays the containers
 * that follow.
 *
 * It has no readiness probe either: the readiness of a native sidecar counts for the pod's, and a
 * healthy app must not leave its Service because the sidecar answers late.
 */
export function createSidecar(pod: Pod, plan: Plan, mounts: readonly VolumeMount[]): Container {
  const { settings, options, token, sidecarEnv } = plan
  const postStart = { exec: { command: ['wimds', ...createProbeArgs(plan)] } }
  const configMount = { name: CONFIG_VOLUME, mountPath: CONFIG_DIRECTORY, readOnly: true }
  const caMount = { name: CA_VOLUME, mountPath: CA_DIRECTORY, readOnly: true }
  return {
    name: SIDECAR,
    image: settings.image,
    ...createPullPolicy(plan),
    args: ['serve'],
    ...(settings.hasNativeSidecars && { restartPolicy: 'Always' }),
    ...(hasStartHook(plan) && { lifecycle: { postStart } }),
    ...(settings.mode === 'node' && { startupProbe: createRouteProbe(plan) }),
    env: [...sidecarEnv],
    ports: [{ name: 'wimds-admin', containerPort: settings.adminPort }],
    resources: createResources(pod, settings.resources),
    securityContext: createSecurityContext(plan),
    volumeMounts: [
      token.mount,
      ...token.otherMounts,
      ...(options.configMap === undefined ? [] : [configMount]),
      ...(settings.ca === undefined ? [] : [caMount]),
      ...mounts,
    ],
  }
}

/**
 * Creates the init containers that start after a native sidecar and end once it serves: the redirect in
 * the transparent modes, and one that waits for prefetched tokens if the pod has to (WIMDS_READY_AFTER_PREFETCH).
 * Entra ID decides how long that takes, so it is no start hook, whose failure would end the sidecar.
 */
export function createInitContainers(pod: Pod, plan: Plan): Container[] {
  const { hasNativeSidecars } = plan.settings
  return [
    ...(isTransparent(plan) ? [createRedirectContainer(pod, plan)] : []),
    ...(hasNativeSidecars && waitsForPrefetch(plan) ? [createWaitContainer(pod, plan)] : []),
  ]
}

/** Returns true if no init container after the sidecar waits for it. Mode node has a start-up probe instead. */
function hasStartHook(plan: Plan): boolean {
  const { mode, hasNativeSidecars } = plan.settings
  return !hasNativeSidecars || (mode === 'env' && !waitsForPrefetch(plan))
}

function isTransparent({ settings: { mode } }: Plan): boolean {
  return mode === 'loopback' || mode === 'nft'
}

/** Creates the init container of the redirect. Adding rules needs root and NET_ADMIN, and nothing else. */
function createRedirectContainer(pod: Pod, plan: Plan): Container {
  const { settings, hasPassThrough } = plan
  const { mode, port, uid, redirectImage, hasNativeSidecars } = settings
  return {
    name: REDIRECT,
    image: redirectImage,
    ...createPullPolicy(plan),
    args: [
      'redirect',
      `--mode=${mode}`,
      `--port=${port}`,
      // A classic sidecar starts after all init containers.
      ...(hasNativeSidecars ? [`--wait=${START_WAIT_SECONDS}`] : []),
      ...(hasPassThrough ? ['--pass-through', `--uid=${uid}`] : []),
    ],
    terminationMessagePolicy: 'FallbackToLogsOnError',
    resources: createResources(pod, settings.resources),
    securityContext: {
      runAsUser: 0,
      runAsNonRoot: false,
      ...HARDENED,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] },
    },
  }
}

/** Seconds of one run of the start-up probe, which polls; the kubelet starts the next one after it. */
const ROUTE_PROBE_SECONDS = 20
/** The pod waits for the node agent for a day; then the sidecar restarts and it waits again. */
const MAX_ROUTE_PROBES = 10_000

/**
 * Creates the start-up probe of mode node: the containers that follow start once the node agent has routed the
 * pod. It runs inside the pod, so a mesh does not see it, and its message becomes an event of the kubelet.
 */
function createRouteProbe({ settings: { port } }: Plan) {
  const args = ['--route', `--port=${port}`, `--timeout=${ROUTE_PROBE_SECONDS}`]
  return {
    exec: { command: ['wimds', 'probe', ...args] },
    periodSeconds: 1,
    timeoutSeconds: ROUTE_PROBE_SECONDS + 20,
    failureThreshold: MAX_ROUTE_PROBES,
  }
}

function createWaitContainer(pod: Pod, plan: Plan): Container {
  return {
    name: WAIT,
    image: plan.settings.image,
    ...createPullPolicy(plan),
    args: createProbeArgs(plan),
    terminationMessagePolicy: 'FallbackToLogsOnError',
    resources: createResources(pod, plan.settings.resources),
    securityContext: createSecurityContext(plan),
  }
}

function createPullPolicy({ settings: { imagePullPolicy } }: Plan) {
  return imagePullPolicy === undefined ? {} : { imagePullPolicy }
}

function createProbeArgs(plan: Plan): string[] {
  const args = ['probe', `--port=${plan.settings.port}`, `--timeout=${START_WAIT_SECONDS}`]
  return waitsForPrefetch(plan) ? args : [...args, '--listening']
}

function waitsForPrefetch({ sidecarEnv }: Plan): boolean {
  return sidecarEnv.some(
    ({ name, value }) => name === 'WIMDS_READY_AFTER_PREFETCH' && value === 'true',
  )
}

const HARDENED = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  seccompProfile: { type: 'RuntimeDefault' },
}

function createSecurityContext({ settings: { uid } }: Plan) {
  return {
    ...(uid !== undefined && { runAsUser: uid }),
    runAsNonRoot: true,
    ...HARDENED,
    capabilities: { drop: ['ALL'] },
  }
}

/** Creates the volumes that the sidecar mounts and the pod does not have. */
export function createVolumes({ token, options: { configMap }, settings: { ca } }: Plan): Volume[] {
  return [
    ...(token.volume === undefined ? [] : [token.volume]),
    ...(configMap === undefined ? [] : [{ name: CONFIG_VOLUME, configMap: { name: configMap } }]),
    ...(ca === undefined ? [] : [createCaVolume(ca)]),
  ]
}

/** Creates a volume with only the one key: a Secret with a CA often has a private key too. The kubelet updates it. */
function createCaVolume({ kind, name, key }: ObjectKey): Volume {
  const items = [{ key, path: CA_FILE_NAME }]
  return {
    name: CA_VOLUME,
    ...(kind === 'Secret'
      ? { secret: { secretName: name, items } }
      : { configMap: { name, items } }),
  }
}
