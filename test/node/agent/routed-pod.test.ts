import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import { inject } from '../../../src/injection/injector/inject.ts'
import { INJECTION_DEFAULTS } from '../../../src/injection/injector/injection-settings.ts'
import { parseRoutedPod } from '../../../src/node/agent/routed-pod.ts'
import { nodeModePod, TOKEN_DIRECTORY } from './pods.ts'

test('reads all that a served pod needs', () => {
  const env = [
    { name: 'AZURE_CLIENT_ID', value: 'first' },
    { name: 'AZURE_CLIENT_ID', value: 'last' },
    { name: 'WIMDS_PREFETCH', value: 'https://vault.azure.net' },
    { name: 'WIMDS_PREFETCH', value: '' },
    { name: 'WIMDS_CONFIG', value: '/a/file' },
    { name: 'WIMDS_CONFIG', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
  ]
  expect(parseRoutedPod(nodeModePod({ listen: '127.0.0.1:8123', env }))).toEqual({
    uid: '8d2c0f3e-5b7a-4f0e-9c41-2a6c1f0b7d55',
    namespace: 'shop',
    name: 'app',
    serviceAccount: 'orders',
    hasAddress: true,
    isEnding: false,
    port: 8123,
    env: { WIMDS_LISTEN: '127.0.0.1:8123', AZURE_CLIENT_ID: 'last' },
    mounts: [{ path: TOKEN_DIRECTORY, directory: 'volumes/kubernetes.io~projected/wimds-token' }],
    contents: expect.stringMatching(/^[\da-f]{64}$/),
    runtimeClass: undefined,
    problem: undefined,
  })
  expect(parseRoutedPod(nodeModePod({ addresses: [] }))?.hasAddress).toBe(false)
  expect(parseRoutedPod(nodeModePod({ spec: { serviceAccountName: null } }))?.serviceAccount).toBe(
    'default',
  )
})

test('reads what the injector writes', () => {
  const injection = inject({
    pod: {
      metadata: {
        annotations: {
          'wimds.io/inject': 'true',
          'wimds.io/port': '8222',
          'wimds.io/config-map': 'identities',
        },
      },
      spec: { containers: [{ name: 'app' }] },
    },
    serviceAccount: { 'azure.workload.identity/tenant-id': 'contoso.example' },
    settings: { ...INJECTION_DEFAULTS, mode: 'node' },
  })
  if (injection.kind !== 'injected') throw new Error(injection.kind)
  const { metadata, status } = nodeModePod()
  const pod = parseRoutedPod({ ...injection.pod, metadata, status })
  expect(pod).toMatchObject({ port: 8222, env: { AZURE_TENANT_ID: 'contoso.example' } })
  // Its projected token and its identities file.
  for (const name of ['AZURE_FEDERATED_TOKEN_FILE', 'WIMDS_CONFIG']) {
    const directories = pod?.mounts.map(({ path }) => path)
    expect(directories).toContain(dirname(pod?.env[name] ?? ''))
  }
})

test('keeps none of the settings of a gate that has too many', () => {
  const env = [{ name: 'WIMDS_PREFETCH', value: 'https://vault.azure.net,'.repeat(1400) }]
  const pod = parseRoutedPod(nodeModePod({ env }))
  expect(pod).toMatchObject({ name: 'app', env: {}, mounts: [] })
  expect(pod?.problem).toMatch(
    /^the variables and mounts of the container wimds-gate have 33\d{3} /,
  )
})

test.each([
  ['127.0.0.1:80', 'is "127.0.0.1:80", not an address with a port from 1024'],
  ['', 'is ""'],
])('says why a pod is not served whose gate has the address "%s"', (listen, reason) => {
  const { problem } = parseRoutedPod(nodeModePod({ listen })) ?? {}
  expect(problem).toContain(`the variable WIMDS_LISTEN of the container wimds-gate ${reason}`)
  expect(problem).toContain('Fix: correct the annotation wimds.io/port')
})

test.each([
  ['WIMDS_MODE', 'nft', 'the annotation wimds.io/mode is "nft"'],
  [
    'WIMDS_OTHER_ANNOTATIONS',
    'wimds.io/ca-secret, wimds.io/prot',
    'does not have these annotations: wimds.io/ca-secret, wimds.io/prot',
  ],
])('says why a pod is not served whose policy has set %s to "%s"', (name, value, reason) => {
  const { problem } = parseRoutedPod(nodeModePod({ env: [{ name, value }] })) ?? {}
  expect(problem).toContain(reason)
  expect(problem).toContain('Fix: ')
})

test('says why a pod is not served that has the network of the node', () => {
  const pod = parseRoutedPod(nodeModePod({ spec: { hostNetwork: true } }))
  expect(pod?.problem).toContain('Fix: remove hostNetwork')
})

/** Reads a pod whose gate mounts a token with this audience. */
function contentsWith(audience: string, name = 'app') {
  const projected = { sources: [{ serviceAccountToken: { audience, path: 'token' } }] }
  const spec = { volumes: [{ name: 'wimds-token', projected }] }
  return parseRoutedPod(nodeModePod({ name, spec }))?.contents
}

test('tells pods apart whose projected tokens differ, and no others', () => {
  expect(contentsWith('api://one')).toBe(contentsWith('api://one', 'sibling'))
  expect(contentsWith('api://one')).not.toBe(contentsWith('api://other'))
})

test('takes projected volumes and ConfigMaps that the gate mounts as a whole, but no token for the API server', () => {
  const volumes = [
    { name: 'config', configMap: { name: 'identities' } },
    { name: 'secret', secret: { secretName: 's' } },
    { name: 'token', projected: { sources: [] } },
    { name: 'other', projected: { sources: [] } },
  ]
  const volumeMounts = [
    { name: 'config', mountPath: '/etc/wimds' },
    { name: 'secret', mountPath: '/secret' },
    { name: 'other', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount/' },
    { name: 'token', mountPath: '/token', subPath: 'part' },
    { name: 'token', mountPath: '/token-too', subPathExpr: '$(NAME)' },
  ]
  const [gate] = nodeModePod().spec.initContainers
  const spec = { volumes, initContainers: [{ ...gate, volumeMounts }] }
  expect(parseRoutedPod(nodeModePod({ spec }))?.mounts).toEqual([
    { path: '/etc/wimds', directory: 'volumes/kubernetes.io~configmap/config' },
  ])
})

test('a pod that has ended or is being deleted is ending', () => {
  const deletionTimestamp = '2026-01-01T00:00:00Z'
  for (const parts of [{ phase: 'Succeeded' }, { phase: 'Failed' }, { deletionTimestamp }]) {
    expect(parseRoutedPod(nodeModePod(parts))?.isEnding).toBe(true)
  }
})

test('ignores a pod without a gate, and what is no pod', () => {
  const sidecar = nodeModePod({ spec: { initContainers: [{ name: 'wimds' }] } })
  for (const value of [sidecar, 'garbage']) expect(parseRoutedPod(value)).toBeUndefined()
})
