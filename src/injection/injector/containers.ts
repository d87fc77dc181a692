/** The containers and volumes that the injector adds. */
import { START_WAIT_SECONDS } from '../../lib/wait-for-port.ts'
import { CA_DIRECTORY, CA_FILE_NAME, CONFIG_DIRECTORY, type Plan } from './injection-plan.ts'
import {
  CA_VOLUME,
  CONFIG_VOLUME,
  type Container,
  GATE,
  type Pod,
  REDIRECT,
  SIDECAR,
  type Volume,
  type VolumeMount,
} from '../../kubernetes/pod.ts'
import { createResources } from './resources.ts'
import type { ObjectKey } from './injection-settings.ts'

/**
 * Creates the init containers that injection puts before the pod's own: the gate, or the native sidecar and the redirect, which
 * ends once the sidecar serves. Mode env needs no redirect.
 */
export function createContainers(pod: Pod, plan: Plan): Container[] {
  const { mode } = plan.settings
  if (mode === 'node') return [createGate(pod, plan)]
  return [createSidecar(pod, plan), ...(mode === 'env' ? [] : [createRedirectContainer(pod, plan)])]
}

/**
 * Creates the sidecar. No probe reaches it over the network: a mesh that redirects inbound connections to
 * its own proxy, which starts later, would make the kubelet's probe fail for ever. The init container
 * after it waits for its port inside the pod instead. Where there is none, its start hook delays the containers
 * that follow.
 *
 * It has no readiness probe either: the readiness of a native sidecar counts for the pod's, and a
 * healthy app must not leave its Service because the sidecar answers late.
 */
function createSidecar(pod: Pod, plan: Plan): Container {
  const { settings, sidecarEnv } = plan
  const probe = [
    'probe',
    `--port=${settings.port}`,
    `--timeout=${START_WAIT_SECONDS}`,
    '--listening',
  ]
  const postStart = { exec: { command: ['wimds', ...probe] } }
  const caMount = { name: CA_VOLUME, mountPath: CA_DIRECTORY, readOnly: true }
  return {
    name: SIDECAR,
    image: settings.image,
    args: ['serve'],
    restartPolicy: 'Always',
    ...(settings.mode === 'env' && { lifecycle: { postStart } }),
    env: [...sidecarEnv],
    ports: [{ name: 'wimds-admin', containerPort: settings.adminPort }],
    resources: createResources(pod, settings.resources),
    securityContext: createSecurityContext(plan),
    volumeMounts: [...createMounts(plan), ...(settings.ca === undefined ? [] : [caMount])],
  }
}

/**
 * Creates the gate of mode node, which ends once the broker of its node answers for this pod. It mounts what the node agent
 * reads, since the kubelet writes no volume that no container mounts. It needs under a megabyte of memory, but has the
 * resources of a sidecar: a namespace may limit those of each container, and there is one way to change them.
 */
function createGate(pod: Pod, plan: Plan): Container {
  return {
    name: GATE,
    image: plan.settings.gateImage,
    env: [...plan.sidecarEnv],
    terminationMessagePolicy: 'FallbackToLogsOnError',
    resources: createResources(pod, plan.settings.resources),
    securityContext: createSecurityContext(plan),
    volumeMounts: createMounts(plan),
  }
}

/** Creates the init container of the redirect. Adding rules needs root and NET_ADMIN, and nothing else. */
function createRedirectContainer(pod: Pod, plan: Plan): Container {
  const { settings, hasPassThrough } = plan
  const { mode, port, uid, redirectImage } = settings
  return {
    name: REDIRECT,
    image: redirectImage,
    args: [
      'redirect',
      `--mode=${mode}`,
      `--port=${port}`,
      `--wait=${START_WAIT_SECONDS}`,
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

/** Creates the mounts of what the pod's settings name: its tokens and its identities file. */
function createMounts({ token, settings: { configMap } }: Plan): VolumeMount[] {
  const configMount = { name: CONFIG_VOLUME, mountPath: CONFIG_DIRECTORY, readOnly: true }
  return [token.mount, ...token.otherMounts, ...(configMap === undefined ? [] : [configMount])]
}

/** Creates the volumes that the sidecar or gate mounts and the pod does not have. */
export function createVolumes({ token, settings: { configMap, ca } }: Plan): Volume[] {
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
