/** Mode node: the pod has a gate in place of a sidecar. */
import { describe, expect, test } from 'vitest'
import type { InjectionSettings } from '../../../src/injection/injector/injection-settings.ts'
import { SIDECAR_MODES } from '../../../src/lib/sidecar-interface.ts'
import {
  APP,
  CLIENT,
  containerOf,
  envOf,
  injected,
  patchFor,
  pod,
  reasonsFor,
  TENANT,
  warningsFor,
} from './patched.ts'

const NODE = { mode: 'node' } as const

const token = { name: 'wimds-token', mountPath: '/var/run/secrets/wimds', readOnly: true }

describe('a pod of mode node', () => {
  test('gets the gate as its first init container, the volume of the token, and no other container', () => {
    const { spec } = injected(pod({}, { initContainers: [{ name: 'migrate' }] }), NODE)
    expect(spec.containers).toEqual([APP])
    expect(spec.initContainers?.map(({ name }) => name)).toEqual(['wimds-gate', 'migrate'])
    expect(spec.volumes?.map(({ name }) => name)).toEqual(['wimds-token'])
  })

  test('has a gate that Pod Security restricted admits, which mounts the token', () => {
    expect(containerOf(injected(pod(), NODE), 'wimds-gate')).toEqual({
      name: 'wimds-gate',
      image: 'wimds-gate:test',
      terminationMessagePolicy: 'FallbackToLogsOnError',
      env: [
        { name: 'AZURE_CLIENT_ID', value: CLIENT },
        { name: 'AZURE_TENANT_ID', value: TENANT },
        { name: 'AZURE_FEDERATED_TOKEN_FILE', value: '/var/run/secrets/wimds/token' },
        { name: 'WIMDS_LISTEN', value: '127.0.0.1:64169' },
        { name: 'WIMDS_POD_UID', valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } },
        { name: 'WIMDS_NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      ],
      resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '128Mi' } },
      securityContext: {
        runAsUser: 1501,
        runAsNonRoot: true,
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        seccompProfile: { type: 'RuntimeDefault' },
        capabilities: { drop: ['ALL'] },
      },
      volumeMounts: [token],
    })
  })

  test('has its annotations and the variables of the settings in the gate, without the variables of the node', () => {
    const sidecarEnv = [
      { name: 'WIMDS_READY_AFTER_PREFETCH', value: 'true' },
      { name: 'WIMDS_INSTANCE', value: '{}' },
      { name: 'HTTPS_PROXY', value: 'http://proxy:3128' },
      { name: 'WIMDS_LOG_LEVEL', value: 'debug' },
      { name: 'WIMDS_EXCHANGE_TIMEOUT', value: '10s' },
    ]
    const annotations = {
      'wimds.io/port': '8100',
      'wimds.io/prefetch': 'https://vault.azure.net',
      'wimds.io/config-map': 'identities',
    }
    const ca = { kind: 'ConfigMap', name: 'corporate', key: 'ca.crt' } as const
    const result = injected(pod(annotations), { ...NODE, sidecarEnv, ca })
    expect(Object.keys(envOf(result, 'wimds-gate'))).toEqual([
      'AZURE_CLIENT_ID',
      'AZURE_TENANT_ID',
      'AZURE_FEDERATED_TOKEN_FILE',
      'WIMDS_LISTEN',
      'WIMDS_READY_AFTER_PREFETCH',
      'WIMDS_INSTANCE',
      'WIMDS_CONFIG',
      'WIMDS_PREFETCH',
      'WIMDS_POD_UID',
      'WIMDS_NODE_NAME',
    ])
    expect(envOf(result, 'wimds-gate')).toMatchObject({ WIMDS_LISTEN: '127.0.0.1:8100' })
    expect(containerOf(result, 'wimds-gate').volumeMounts).toEqual([
      token,
      { name: 'wimds-config', mountPath: '/etc/wimds', readOnly: true },
    ])
    expect(result.spec.initContainers).toHaveLength(1)
    expect(result.spec.volumes?.map(({ name }) => name)).toEqual(['wimds-token', 'wimds-config'])
  })

  test('mounts the token volume of the pod, and the app’s NO_PROXY is extended', () => {
    const env = [
      { name: 'AZURE_FEDERATED_TOKEN_FILE', value: '/mnt/tokens/token' },
      { name: 'HTTP_PROXY', value: 'http://proxy:3128' },
    ]
    const volumeMounts = [{ name: 'tokens', mountPath: '/mnt/tokens' }]
    const sources = [{ serviceAccountToken: { path: 'token' } }]
    const volumes = [{ name: 'tokens', projected: { sources } }]
    const result = injected(pod({}, { containers: [{ ...APP, env, volumeMounts }], volumes }), NODE)
    expect(result.spec.volumes).toEqual(volumes)
    expect(containerOf(result, 'wimds-gate').volumeMounts).toEqual([{ ...token, name: 'tokens' }])
    expect(envOf(result, 'app')).toMatchObject({ NO_PROXY: '169.254.169.254,localhost,127.0.0.1' })
  })

  test('shares pod-level resources and keeps its class', () => {
    const shared = injected(pod({}, { resources: { limits: { cpu: '1', memory: '1Gi' } } }), NODE)
    expect(containerOf(shared, 'wimds-gate').resources).toEqual({})
    const resources = { limits: { cpu: '1', memory: '1Gi' } }
    const guaranteed = injected(pod({}, { containers: [{ ...APP, resources }] }), NODE)
    expect(containerOf(guaranteed, 'wimds-gate').resources).toEqual({
      requests: { cpu: '100m', memory: '128Mi' },
      limits: { cpu: '100m', memory: '128Mi' },
    })
  })

  test.each(SIDECAR_MODES)('can be changed to mode %s and back', (mode) => {
    const original = pod({ 'wimds.io/inject': 'true' })
    const [inNode, inOther] = [injected(original, NODE), injected(original, { mode })]
    expect(injected(annotate(inNode, mode))).toEqual(injected(annotate(original, mode)))
    expect(injected(annotate(inOther, 'node'))).toEqual(injected(annotate(original, 'node')))
  })

  test('keeps the mode while the settings have another one, and the gate of two calls is the same', () => {
    const once = injected(pod(), NODE)
    expect(patchFor(once, { mode: 'loopback' }, { isAdmission: true })).toEqual([])
  })
})

function annotate<T extends { metadata: { annotations: Record<string, string> } }>(
  given: T,
  mode: string,
): T {
  const annotations = { ...given.metadata.annotations, 'wimds.io/mode': mode }
  return { ...given, metadata: { ...given.metadata, annotations } }
}

const withEnv = (...env: object[]) => pod({}, { containers: [{ ...APP, env }] })

describe('mode node rejects', () => {
  test.each([
    ['admin-port', '9200'],
    ['ca-config-map', 'corporate'],
    ['ca-secret', 'corporate'],
    ['https-proxy', 'http://proxy:3128'],
    ['https-proxy-secret', 'proxy'],
    ['no-proxy', '.corp'],
  ])('the annotation wimds.io/%s, and names the modes that have it', (name, value) => {
    expect(reasonsFor(pod({ [`wimds.io/${name}`]: value }), NODE)).toEqual([
      `mode node has no wimds.io/${name}, since pods of mode node share a broker. Fix: remove the annotation, or set wimds.io/mode to env or loopback or nft`,
    ])
  })

  test('pass-through', () => {
    const annotations = { 'wimds.io/pass-through': '/metadata/instance' }
    expect(reasonsFor(pod(annotations), NODE)).toEqual([
      'pass-through needs mode nft, but the mode is node. Fix: set wimds.io/mode: nft',
    ])
  })

  const tokenFile = { name: 'AZURE_FEDERATED_TOKEN_FILE', value: '/run/secrets/azure/token' }
  const elsewhere = { secretKeyRef: { name: 's', key: 'k' } }

  const proxy = { name: 'AZURE_KUBERNETES_TOKEN_PROXY', value: 'https://proxy' }
  const instance = { name: 'WIMDS_INSTANCE', value: '$(INSTANCE)' }
  const port = { containers: [{ ...APP, ports: [{ containerPort: 64_169 }] }] }

  test.each<[string, ReturnType<typeof pod>, Partial<InjectionSettings>]>([
    [
      'mode node does not use the token proxy of identity bindings (AZURE_KUBERNETES_TOKEN_PROXY). Fix: set wimds.io/mode to env',
      withEnv(tokenFile, proxy),
      { allowedModes: ['env', 'node'] },
    ],
    ['mode node does not use the token proxy', pod(), { sidecarEnv: [proxy] }],
    [
      'the value of AZURE_AUTHORITY_HOST comes from elsewhere',
      withEnv(tokenFile, { name: 'AZURE_AUTHORITY_HOST', valueFrom: elsewhere }),
      {},
    ],
    [
      'the value of WIMDS_IDENTITY_HEADER comes from elsewhere',
      pod(),
      { sidecarEnv: [{ name: 'WIMDS_IDENTITY_HEADER', valueFrom: elsewhere }] },
    ],
    ['WIMDS_INSTANCE comes from elsewhere', pod(), { sidecarEnv: [instance] }],
    ['wimds.io/prefetch must be a resource', pod({ 'wimds.io/prefetch': 'foo bar' }), {}],
    ['the runtime class kata-qemu', pod({}, { runtimeClassName: 'kata-qemu' }), {}],
    ['port 64169, on which the node agent would listen. Fix: set the', pod({}, port), {}],
  ])('a pod, since %s', (reason, given, more) => {
    expect(reasonsFor(given, { ...NODE, ...more })).toEqual([expect.stringContaining(reason)])
  })

  test('no container on the port of a sidecar’s health and metrics, which it does not have', () => {
    const ports = [{ containerPort: 9169 }]
    expect(reasonsFor(pod({}, { containers: [{ ...APP, ports }] }), NODE)).toEqual([])
  })
})

test('the gate has the CPU and memory that annotations choose, as a sidecar has', () => {
  const annotations = {
    'wimds.io/cpu-request': '200m',
    'wimds.io/cpu-limit': '1',
    'wimds.io/memory-request': '100Mi',
    'wimds.io/memory-limit': '1Gi',
  }
  const chosen = {
    requests: { cpu: '200m', memory: '100Mi' },
    limits: { cpu: '1', memory: '1Gi' },
  }
  expect(containerOf(injected(pod(annotations), NODE), 'wimds-gate').resources).toEqual(chosen)
  expect(warningsFor(pod(annotations), NODE)).toEqual([])
  const gate = containerOf(injected(pod(), { ...NODE, resources: chosen }), 'wimds-gate')
  expect(gate.resources).toEqual(chosen)
})
