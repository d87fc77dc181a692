/** The containers, volumes and variables of the sidecar, and of the gate in mode node. */
import {
  app,
  AZWI,
  type Cases,
  each,
  ENV,
  HTTP_PROXY,
  MIGRATE,
  NODE,
  PASS_THROUGH,
  PROXY,
  toEnv,
} from './shared.ts'

const OPERATORS = {
  WIMDS_MAX_CONNECTIONS: '100',
  WIMDS_INSTANCE: '{}',
  HTTPS_PROXY: HTTP_PROXY,
  WIMDS_EXCHANGE_TIMEOUT: '10s',
}

export const SIDECAR: Cases = {
  ...each('a pod with an init container, in mode', ['env', 'loopback', 'node'], (mode) => ({
    annotations: { 'wimds.io/mode': mode },
    spec: { initContainers: [MIGRATE], securityContext: { runAsUser: 0 } },
    isShownInFull: true,
  })),
  ...each('the operator’s settings, in mode', ['env', 'node'] as const, (mode) => ({
    settings: {
      mode,
      uid: undefined,
      audience: 'api://other',
      ca: { kind: 'ConfigMap', name: 'operator', key: 'bundle.pem' },
      sidecarEnv: toEnv(OPERATORS),
    },
  })),
  'a variable of the operator that injection sets, too': {
    settings: { sidecarEnv: toEnv({ WIMDS_LISTEN: '127.0.0.1:64169,127.0.0.1:50342' }) },
  },
  'the annotations, in place of the operator’s values': {
    annotations: {
      ...PASS_THROUGH,
      'wimds.io/port': '8100',
      'wimds.io/admin-port': '9200',
      'wimds.io/config-map': 'identities',
      'wimds.io/prefetch': 'https://vault.azure.net',
      'wimds.io/https-proxy': HTTP_PROXY,
      'wimds.io/no-proxy': '.own',
      'wimds.io/ca-secret': 'own',
      [`${AZWI}service-account-token-expiration`]: '7200',
    },
    spec: app({ securityContext: { allowPrivilegeEscalation: false, runAsUser: 1000 } }),
    settings: {
      ca: { kind: 'ConfigMap', name: 'operator', key: 'ca.crt' },
      sidecarEnv: toEnv({
        WIMDS_PREFETCH: 'operator',
        WIMDS_PASS_THROUGH: 'operator',
        HTTPS_PROXY: 'operator',
        NO_PROXY: 'operator',
        WIMDS_CA_FILE: 'operator',
      }),
    },
  },
  'the port, for which the start hook waits in mode env': {
    annotations: { ...ENV, 'wimds.io/port': '8100' },
  },
  'the annotations of mode node': {
    annotations: {
      ...NODE,
      'wimds.io/port': '8100',
      'wimds.io/prefetch': 'https://vault.azure.net',
      'wimds.io/config-map': 'identities',
      'wimds.io/cpu-request': '200m',
      'wimds.io/memory-limit': '1Gi',
    },
  },
  'an HTTP proxy and a CA of objects': {
    annotations: { 'wimds.io/https-proxy-secret': 'egress', 'wimds.io/ca-config-map': 'a/b.pem' },
  },
  'the annotations of azure-workload-identity': {
    annotations: {
      [PROXY]: 'true',
      [`${AZWI}proxy-sidecar-port`]: '8500',
      [`${AZWI}skip-containers`]: 'app',
    },
    settings: { injectByDefault: false, mode: 'env' },
  },
}
