/** NO_PROXY of the containers, and warnings of proxies. */
import {
  all,
  allEnv,
  type Cases,
  CONFIG_MAP,
  ENV,
  env,
  HTTP_PROXY,
  MIGRATE,
  NODE,
  SECRET,
  toEnv,
} from './shared.ts'

export const NO_PROXY: Cases = {
  'in containers with': {
    spec: {
      ...allEnv({
        'a proxy': { http_proxy: HTTP_PROXY },
        'an empty proxy': { https_proxy: '' },
        'a list': { NO_PROXY: '.svc' },
        'a list that is complete': { NO_PROXY: 'localhost, 127.0.0.1,169.254.169.254' },
        'two lists': { NO_PROXY: '.a', no_proxy: '.b' },
        'a reference': { NO_PROXY: '$(HOSTS)', no_proxy: '.b' },
        'a reference to the other case': { NO_PROXY: '.a', no_proxy: '$(NO_PROXY)' },
        'a list of a ConfigMap': { NO_PROXY: CONFIG_MAP },
      }),
      initContainers: [{ ...MIGRATE, env: toEnv({ no_proxy: SECRET }) }],
    },
  },
  'in containers with envFrom': {
    spec: all({
      only: { envFrom: [{ configMapRef: { name: 'proxy' } }] },
      'and a list': {
        env: toEnv({ NO_PROXY: '.svc' }),
        envFrom: [{ secretRef: { name: 'proxy' } }],
      },
    }),
  },
  always: { settings: { alwaysSetsNoProxy: true } },
  'in a container that is skipped': {
    annotations: { ...ENV, 'wimds.io/skip-containers': 'app; other' },
    spec: env({ HTTPS_PROXY: HTTP_PROXY }),
  },
  'beside a sidecar without a proxy': {
    spec: env({ HTTPS_PROXY: 'http://user:hunter2@proxy:3128' }),
  },
  'beside a sidecar with a proxy': {
    annotations: { 'wimds.io/https-proxy': HTTP_PROXY },
    spec: env({ ALL_PROXY: HTTP_PROXY }),
  },
  'beside a sidecar with a token proxy': {
    spec: env({ HTTPS_PROXY: HTTP_PROXY }),
    settings: { sidecarEnv: toEnv({ AZURE_KUBERNETES_TOKEN_PROXY: 'https://proxy.svc' }) },
  },
  'in mode node': { annotations: NODE, spec: env({ HTTPS_PROXY: HTTP_PROXY }) },
}
