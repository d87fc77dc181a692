/** Creates the plan of one pod's injection: its settings, its token, and the variables of its sidecar. */
import type { PodSettings } from './annotations.ts'
import {
  ACCOUNT_ANNOTATIONS,
  type ServiceAccountAnnotations,
} from '../../kubernetes/service-account.ts'
import { formatListenAddress, POD_UID } from './endpoint-variables.ts'
import { type FederatedToken, findFederatedToken } from './federated-token.ts'
import type { EnvVar, Pod } from '../../kubernetes/pod.ts'
import { PER_POD_SETTINGS } from '../../broker/config/node-mode-settings.ts'

export type Plan = ReturnType<typeof createPlan>

/** The directory where the ConfigMap of `wimds.io/config-map` is mounted. */
export const CONFIG_DIRECTORY = '/etc/wimds'

/** The directory where the CA bundle is mounted. It cannot be below the directory of the ConfigMap, which is mounted read-only. */
export const CA_DIRECTORY = '/etc/ssl/wimds'
export const CA_FILE_NAME = 'ca.crt'

/** Creates the plan. `checkPod` decides whether it may be carried out. */
export function createPlan(
  pod: Pod,
  serviceAccount: ServiceAccountAnnotations,
  settings: PodSettings,
) {
  const token = findFederatedToken(pod, settings.audience, settings.tokenExpiration)
  const serveEnv = createServeEnv(serviceAccount, settings, token)
  const sidecarEnv = settings.mode === 'node' ? createGateEnv(serveEnv) : serveEnv
  const find = (name: string) => serveEnv.find((entry) => entry.name === name)
  return {
    settings,
    token,
    /** The whole environment of the sidecar, or of the gate in mode node, each name once. */
    sidecarEnv,
    /** The sidecar as the app's containers reach it. */
    endpoint: {
      listen: [formatListenAddress(settings.port)],
      mode: settings.mode,
      identityHeader: find('WIMDS_IDENTITY_HEADER'),
    },
    /** True if the sidecar may reach the node's IMDS. */
    hasPassThrough: find('WIMDS_PASS_THROUGH') !== undefined,
  }
}

/** Creates the environment of `wimds serve`. Later entries override earlier ones of the same name. */
function createServeEnv(
  serviceAccount: ServiceAccountAnnotations,
  settings: PodSettings,
  token: FederatedToken,
): EnvVar[] {
  const entries = [
    ...token.variables,
    ...[...ACCOUNT_ANNOTATIONS].flatMap(([name, annotation]) =>
      toVariable(name, serviceAccount[annotation]),
    ),
    ...toVariable('AZURE_FEDERATED_TOKEN_FILE', token.file),
    ...toVariable('WIMDS_MODE', settings.mode),
    ...toVariable('WIMDS_LISTEN', formatListenAddress(settings.port)),
    // Only in mode env. The agent of mode node reads no field references.
    ...(settings.mode === 'env' ? [{ name: 'WIMDS_IDENTITY_HEADER', valueFrom: POD_UID }] : []),
    ...toVariable('WIMDS_ADMIN_LISTEN', `[::]:${settings.adminPort}`),
    ...settings.sidecarEnv,
    // Last: a pod's annotations override the operator's variables.
    ...toVariable('WIMDS_CONFIG', settings.configMap && `${CONFIG_DIRECTORY}/identities.yaml`),
    ...toVariable('WIMDS_CA_FILE', settings.ca && `${CA_DIRECTORY}/${CA_FILE_NAME}`),
    ...settings.variables,
  ]
  return [...new Map(entries.map((entry) => [entry.name, entry])).values()]
}

/** The variables by which the gate names its pod to the broker and in its log. */
const GATE_FIELDS = [
  { name: 'WIMDS_POD_UID', valueFrom: POD_UID },
  { name: 'WIMDS_NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
]

/** Returns the gate's environment: the sidecar's variables that each pod sets for itself, and GATE_FIELDS. */
function createGateEnv(sidecarEnv: readonly EnvVar[]): EnvVar[] {
  return [...sidecarEnv.filter(({ name }) => PER_POD_SETTINGS.has(name)), ...GATE_FIELDS]
}

function toVariable(name: string, value: string | undefined): EnvVar[] {
  return value ? [{ name, value }] : []
}
