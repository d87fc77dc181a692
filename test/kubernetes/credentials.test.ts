import { expect, test } from 'vitest'
import { findCluster } from '../../src/kubernetes/credentials.ts'
import { createFolder } from '../fixtures/folder.ts'

test('reads the token again for each call', async () => {
  using folder = createFolder()
  folder.write('token', 'one\n')
  const { readHeaders } = findCluster({
    KUBERNETES_SERVICE_HOST: '10.0.0.1',
    KUBERNETES_API_ACCESS: folder.path,
  })
  expect(await readHeaders()).toEqual({ Authorization: 'Bearer one' })
  folder.write('token', 'two')
  expect(await readHeaders()).toEqual({ Authorization: 'Bearer two' })
})

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
