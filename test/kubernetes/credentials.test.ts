import { expect, test } from 'vitest'
import { findCluster } from '../../src/kubernetes/credentials.ts'

test.each([
  [
    { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' },
    'https://[fd00::1]:6443',
  ],
  [{ KUBERNETES_SERVICE_HOST: '10.0.0.1' }, 'https://10.0.0.1:443'],
])('finds the API server of a pod with %j', (env, origin) => {
  expect(findCluster(env).origin).toBe(origin)
})

test('throws outside of a pod', () => {
  expect(() => findCluster({ KUBECONFIG: '/a/file' })).toThrow(/^no Kubernetes cluster: .* Fix: /)
})
