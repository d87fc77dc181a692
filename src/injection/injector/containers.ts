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
 * Creates the init containers that injection puts before the pod's own. In mode node that is the gate. In the other modes it is
 * the native sidecar and, except in mode env, the redirect, which ends once the sidecar serves.
 */
export function createContainers(pod: Pod, plan: Plan): Container[] {
  const { mode } = plan.settings
  if (mode === 'node') return [createGate(pod, plan)]
  return [createSidecar(pod, plan), ...(mode === 'env' ? [] : [createRedirectContainer(pod, plan)])]
}

/**
 * Creates the sidecar. The kubelet does not probe it over the network: a mesh redirects inbound connections to its own proxy, which
 * starts later, so such a probe would always fail. In its place the redirect waits for the sidecar's port inside the pod. Mode env
 * has no redirect, so a start hook of the sidecar waits.
 *
 * The sidecar has no readiness probe: the pod would be unready whenever the sidecar is, and a healthy app must not leave its
 * Service because the sidecar answers late.
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
 * Creates the gate of mode node, which ends once the broker of its node answers for this pod. It mounts the volumes that the node
 * agent reads, since the kubelet sets up a volume only if a container mounts it. It needs less than a megabyte of memory, but gets
 * the resources of a sidecar: a namespace may set limits for each container, and an operator changes both by the same settings.
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

/** Creates the mounts of the pod's tokens and of its identities file. */
function createMounts({ token, settings: { configMap } }: Plan): VolumeMount[] {
  const configMount = { name: CONFIG_VOLUME, mountPath: CONFIG_DIRECTORY, readOnly: true }
  return [token.mount, ...token.otherMounts, ...(configMap === undefined ? [] : [configMount])]
}

/** Creates the volumes that the sidecar or gate mounts, except those that the pod has already. */
export function createVolumes({ token, settings: { configMap, ca } }: Plan): Volume[] {
  return [
    ...(token.volume === undefined ? [] : [token.volume]),
    ...(configMap === undefined ? [] : [{ name: CONFIG_VOLUME, configMap: { name: configMap } }]),
    ...(ca === undefined ? [] : [createCaVolume(ca)]),
  ]
}

/** Creates a volume with only the CA, since its Secret often has a private key too. The kubelet keeps the file current. */
function createCaVolume({ kind, name, key }: ObjectKey): Volume {
  const items = [{ key, path: CA_FILE_NAME }]
  return {
    name: CA_VOLUME,
    ...(kind === 'Secret'
      ? { secret: { secretName: name, items } }
      : { configMap: { name, items } }),
  }
}
