import { afterEach, beforeEach, expect, test } from 'vitest'
import { createFolder, type Folder } from '../fixtures/folder.ts'
import { createCredentials, loadKubeConfig } from '../../src/kubernetes/credentials.ts'

let folder: Folder
beforeEach(() => {
  folder = createFolder()
})
afterEach(() => folder[Symbol.dispose]())

/** Writes a kubeconfig file with this user, and reads its configuration. */
function loadAs(user: object) {
  const config = {
    'current-context': 'b',
    contexts: [
      { name: 'a', context: { cluster: 'other', user: 'other' } },
      { name: 'b', context: { cluster: 'here', user: 'me' } },
    ],
    clusters: [{ name: 'here', cluster: { server: 'https://here:6443' } }],
    users: [{ name: 'me', user }],
  }
  return loadKubeConfig({ KUBECONFIG: folder.write('config', config) })
}

test.each<[string, object, object]>([
  ['a token', { token: 'one' }, { Authorization: 'Bearer one' }],
  ['a file, which comes first', { token: 'one', tokenFile: 't' }, { Authorization: 'Bearer two' }],
  ['no token', {}, {}],
])('reads the credential of a kubeconfig file: %s', async (_, user, headers) => {
  folder.write('t', 'two\n')
  expect(await createCredentials(loadAs(user)).readHeaders()).toEqual(headers)
})

test('reads the token again for each call', async () => {
  folder.write('t', 'one')
  const { readHeaders } = createCredentials(loadAs({ tokenFile: 't' }))
  await readHeaders()
  folder.write('t', 'two')
  expect(await readHeaders()).toEqual({ Authorization: 'Bearer two' })
})

test('finds the cluster of the pod, also at an IPv6 address', () => {
  const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' }
  expect(loadKubeConfig(env)).toEqual({
    cluster: { server: 'https://[fd00::1]:6443', 'certificate-authority': 'ca.crt' },
    user: { tokenFile: 'token' },
    directory: '/var/run/secrets/kubernetes.io/serviceaccount',
  })
})

test('prefers the file that KUBECONFIG names', () => {
  const { cluster } = loadKubeConfig({
    KUBECONFIG: folder.write('config', {
      'current-context': 'a',
      contexts: [{ name: 'a', context: { cluster: 'a' } }],
      clusters: [{ name: 'a', cluster: { server: 'https://named' } }],
    }),
    KUBERNETES_SERVICE_HOST: '10.0.0.1',
  })
  expect(cluster.server).toBe('https://named')
})

test('throws outside of a pod without KUBECONFIG', () => {
  expect(() => loadKubeConfig({ KUBECONFIG: '' })).toThrow(/^no Kubernetes cluster: .* Fix: /)
})

test.each([
  ['a file without a context', '{}', 'current-context is missing'],
  [
    'a context that does not exist',
    '{current-context: x, contexts: [], clusters: []}',
    'the context x has no cluster',
  ],
])('throws for %s', (_, content, problem) => {
  expect(() => loadKubeConfig({ KUBECONFIG: folder.write('config', content) })).toThrow(
    `cannot read the kubeconfig file: ${problem}`,
  )
})
