/** Pods that are rejected, and similar pods that are not. */
import { APP } from '../patched.ts'
import {
  all,
  type Cases,
  each,
  ENV,
  env,
  MIGRATE,
  NODE,
  PASS_THROUGH,
  SECRET,
  toEnv,
  TOKEN_FILE,
} from './shared.ts'

const contexts = (containers: Readonly<Record<string, object>>, context: object = {}) => ({
  ...all(
    Object.fromEntries(
      Object.entries({ app: { runAsUser: 1000 }, ...containers }).map(([name, fields]) => [
        name,
        { securityContext: { allowPrivilegeEscalation: false, ...fields } },
      ]),
    ),
  ),
  securityContext: context,
})
const drop = (...names: string[]) => ({ capabilities: { drop: names } })
const ROOT = { runAsUser: 0 }
const listening = (containerPort: number, more = {}) => ({ ports: [{ containerPort, ...more }] })

export const PODS: Cases = {
  'that have all that is rejected': {
    annotations: ENV,
    spec: {
      hostNetwork: true,
      os: { name: 'windows' },
      containers: [
        {
          ...APP,
          ...listening(64_169),
        },
        { name: 'azwi-proxy', env: [...toEnv({ no_proxy: 'a' }), ...toEnv({ no_proxy: 'b' })] },
        { name: 'admin', ...listening(9169, { protocol: 'TCP' }) },
      ],
      initContainers: [{ ...MIGRATE, ...listening(64_169) }],
      volumes: [{ name: 'wimds-token' }, { name: 'wimds-config' }],
    },
  },
  // Django, uvicorn and gunicorn listen on port 8000.
  'with the ports of the sidecar for UDP, or others': {
    spec: all({ udp: listening(64_169, { protocol: 'UDP' }), django: listening(8000) }),
  },
  ...each(
    'with',
    [
      { nodeSelector: { 'kubernetes.io/os': 'windows' } },
      { nodeSelector: { 'beta.kubernetes.io/os': 'windows' } },
      { initContainers: [{ name: 'azwi-proxy-init' }] },
      { containers: [APP, { name: 'wimds' }] },
      { containers: [] },
    ],
    (spec) => ({ spec }),
  ),
  ...each(
    'of mode node, with',
    [
      env({ [TOKEN_FILE]: '/mnt/token', AZURE_KUBERNETES_TOKEN_PROXY: 'https://proxy' }),
      env({ [TOKEN_FILE]: '/mnt/token', AZURE_AUTHORITY_HOST: SECRET }),
      {
        runtimeClassName: 'kata-qemu',
        ...all({ agent: listening(64_169), admin: listening(9169) }),
      },
    ],
    (spec) => ({ annotations: NODE, spec, settings: { allowedModes: ['env', 'node'] } }),
  ),
  'of mode node, with variables of the operator that it does not have': {
    annotations: NODE,
    settings: {
      sidecarEnv: toEnv({
        AZURE_KUBERNETES_TOKEN_PROXY: 'https://proxy',
        WIMDS_IDENTITY_HEADER: SECRET,
        WIMDS_INSTANCE: '$(INSTANCE)',
      }),
    },
  },
  ...each('of a mode that the operator does not allow', ['mode', 'injected'], (name) => ({
    annotations: { [`wimds.io/${name}`]: name === 'mode' ? 'nft' : '{"mode":"nft"}' },
    settings: { allowedModes: ['env', 'loopback'] },
  })),
  'with pass-through in mode loopback': {
    annotations: { 'wimds.io/pass-through': '/metadata/instance' },
  },
  'with pass-through that the operator does not allow': {
    annotations: PASS_THROUGH,
    settings: { allowPassThrough: false },
  },
  'with pass-through and no known uid': { annotations: PASS_THROUGH, settings: { uid: undefined } },
  'with pass-through and containers that have': {
    annotations: PASS_THROUGH,
    spec: contexts({
      'no user': {},
      'no user or capability': drop('ALL'),
      root: ROOT,
      'root and uid': { ...ROOT, ...drop('NET_RAW') },
      'the sidecar’s uid': { runAsUser: 1501 },
      SETUID: { runAsUser: 1000, capabilities: { drop: ['ALL'], add: ['SETUID'] } },
      privileges: { privileged: true, ...ROOT, ...drop('ALL') },
      'a user and setuid programs': { runAsUser: 1000, allowPrivilegeEscalation: undefined },
      'a user and setuid programs by null': { runAsUser: 1000, allowPrivilegeEscalation: null },
      'root and setuid programs': { ...ROOT, allowPrivilegeEscalation: true },
    }),
  },
  'with pass-through, the sidecar’s uid for all, and containers that have': {
    annotations: PASS_THROUGH,
    spec: contexts({ 'no user': {}, root: ROOT }, { runAsUser: 1501 }),
  },
  'with pass-through, a user for all, and containers that may have it': {
    annotations: PASS_THROUGH,
    spec: contexts(
      {
        'no user': {},
        'no capability': { ...ROOT, ...drop('ALL') },
        'no setuid': { ...ROOT, ...drop('NET_RAW', 'SETUID') },
      },
      { runAsUser: 1000 },
    ),
  },
  ...each(
    'that are malformed',
    [
      'a pod',
      {},
      { spec: { containers: 'app' } },
      {
        spec: {
          containers: [{ env: [{ value: 'secret' }], resources: { limits: { cpu: true } } }],
        },
      },
    ],
    (pod) => ({ pod }),
  ),
}
