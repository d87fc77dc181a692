import { expect, test } from 'vitest'
import { inject } from '../../../src/cluster/injector/inject.ts'
import { INJECTION_DEFAULTS } from '../../../src/cluster/injector/settings.ts'
import { parseRoutedPod } from '../../../src/cluster/node-agent/routed-pod.ts'
import { nodeModePod } from './pods.ts'

test('reads the port, whether the pod has an address and whether the sidecar has started', () => {
  const pod = nodeModePod({ listen: '127.0.0.1:8123' })
  expect(parseRoutedPod(pod)).toEqual({
    uid: '8d2c0f3e-5b7a-4f0e-9c41-2a6c1f0b7d55',
    namespace: 'shop',
    name: 'app',
    hasAddress: true,
    port: 8123,
    isSidecarStarted: false,
    runtimeClass: undefined,
  })
  expect(parseRoutedPod(nodeModePod({ isStarted: true }))?.isSidecarStarted).toBe(true)
  expect(parseRoutedPod(nodeModePod({ addresses: [] }))?.hasAddress).toBe(false)
})

test('reads what the injector writes', () => {
  const injection = inject({
    pod: {
      metadata: { annotations: { 'wimds.io/inject': 'true', 'wimds.io/port': '8222' } },
      spec: { containers: [{ name: 'app' }] },
    },
    serviceAccount: { 'azure.workload.identity/tenant-id': 'contoso.example' },
    settings: { ...INJECTION_DEFAULTS, mode: 'node' },
  })
  if (injection.kind !== 'injected') throw new Error(injection.kind)
  const { metadata, status } = nodeModePod()
  expect(parseRoutedPod({ ...injection.pod, metadata, status })).toMatchObject({ port: 8222 })
})

test.each([
  ['of another mode', nodeModePod({ mode: 'loopback' })],
  ['that has ended', nodeModePod({ phase: 'Succeeded' })],
  ['that is being deleted', nodeModePod({ deletionTimestamp: '2026-01-01T00:00:00Z' })],
  ['with the network of the node', nodeModePod({ spec: { hostNetwork: true } })],
  ['with a port that is none', nodeModePod({ listen: '127.0.0.1:99999' })],
  ['without a sidecar', nodeModePod({ spec: { initContainers: [] } })],
  ['that is no pod', 'garbage'],
])('ignores a pod %s', (_, pod) => {
  expect(parseRoutedPod(pod)).toBeUndefined()
})
