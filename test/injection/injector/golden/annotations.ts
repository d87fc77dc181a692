/** Annotations: who is injected, and which values are rejected. */
import { AZWI, type Cases, each, HTTP_PROXY, MIGRATE, NODE, PROXY } from './shared.ts'

const USE = { [`${AZWI}use`]: 'true' }
export const ANNOTATIONS: Cases = {
  ...each(
    'which opt in, or do not',
    [
      {},
      { 'wimds.io/inject': 'true' },
      { 'wimds.io/inject': 'false', 'wimds.io/port': 'x' },
      { 'wimds.io/inject': 'yes' },
      { 'wimds.io/port': '8100' },
      { [PROXY]: 'true' },
      { [PROXY]: 'false' },
      { [PROXY]: 'true', 'wimds.io/inject': 'false' },
    ] as const,
    (annotations) => ({ annotations, settings: { injectByDefault: false } }),
  ),
  'of azure-workload-identity, whose webhook selects the pod by its label': {
    annotations: { [PROXY]: 'true' },
    labels: USE,
    settings: { injectByDefault: false },
  },
  'of both webhooks': { annotations: { [PROXY]: 'false', 'wimds.io/inject': 'true' }, labels: USE },
  'that are malformed': {
    annotations: {
      'wimds.io/port': '80',
      'wimds.io/mode': 'ebpf',
      'wimds.io/cpu-request': 'lots',
      'wimds.io/config-map': 'My_Map',
      'wimds.io/ca-config-map': 'ca/../x',
      'wimds.io/https-proxy-secret': 'a/b/c',
      'wimds.io/prefetch': 'https://a https://b',
      'wimds.io/pass-through': '/metadata/identity',
      [`${AZWI}service-account-token-expiration`]: '3599',
    },
    spec: { hostNetwork: true },
  },
  'that are malformed otherwise': {
    annotations: {
      'wimds.io/port': '0x1f90',
      'wimds.io/ca-secret': 'ca/..data',
      'wimds.io/prefetch': 'https://a,',
      'wimds.io/https-proxy': 'ftp://proxy',
      [`${AZWI}service-account-token-expiration`]: '86401',
    },
  },
  ...each('with the proxy', [' ', 'http://me:hunter2@proxy:3128'], (url) => ({
    annotations: { 'wimds.io/https-proxy': url },
  })),
  'that exclude each other': {
    annotations: {
      'wimds.io/ca-config-map': 'a',
      'wimds.io/ca-secret': 'b',
      'wimds.io/https-proxy': HTTP_PROXY,
      'wimds.io/https-proxy-secret': 'b',
      'wimds.io/memory-request': '1Gi',
      'wimds.io/memory-limit': '512Mi',
      'wimds.io/port': '9169',
    },
  },
  'that are unknown': {
    annotations: { 'wimds.io/mod': 'env', 'wimds.io/inejct': 'true', 'wimds.io/frobnicate': 'x' },
  },
  'that mode node does not have': {
    annotations: {
      ...NODE,
      'wimds.io/admin-port': '9200',
      'wimds.io/ca-config-map': 'corporate',
      'wimds.io/https-proxy-secret': 'proxy',
      'wimds.io/no-proxy': '.corp',
      'wimds.io/pass-through': '/metadata/instance',
    },
  },
  'that mode node does not have, either': {
    annotations: {
      ...NODE,
      'wimds.io/ca-secret': 'corporate',
      'wimds.io/https-proxy': HTTP_PROXY,
      'wimds.io/prefetch': 'foo bar',
    },
  },
  ...each('that skip containers', ['app, migrate; ', 'ap'], (names) => ({
    annotations: { 'wimds.io/skip-containers': names },
    spec: { initContainers: [MIGRATE] },
  })),
}
