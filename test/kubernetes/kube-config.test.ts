import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { request } from 'undici'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { listening } from '../fixtures/listening.ts'
import { createFolder, type Folder } from '../fixtures/folder.ts'
import { runNode } from '../fixtures/run-program.ts'
import { readCredentials } from '../../src/kubernetes/credentials.ts'
import { loadKubeConfig } from '../../src/kubernetes/kube-config.ts'

let home: Folder
beforeEach(() => {
  home = createFolder()
})
afterEach(() => home[Symbol.dispose]())

/** Writes ~/.kube/config with this user and cluster, and reads the credentials by it. */
async function readAs(user: object, cluster: object = {}) {
  const config = {
    'current-context': 'b',
    contexts: [
      { name: 'a', context: { cluster: 'other', user: 'other' } },
      { name: 'b', context: { cluster: 'here', user: 'me' } },
    ],
    clusters: [{ name: 'here', cluster: { server: 'https://here:6443/', ...cluster } }],
    users: [{ name: 'me', user }],
  }
  home.write('.kube/config', config)
  return readCredentials(loadKubeConfig({ HOME: home.path }))
}

const plugin = (command: string, args: readonly string[] = [], env: readonly object[] = []) => ({
  exec: { apiVersion: 'client.authentication.k8s.io/v1', command, args, env },
})
const PRINT_NAME = 'echo "{\\"status\\":{\\"token\\":\\"$NAME\\"}}"'
const printer = plugin('sh', ['-c', PRINT_NAME], [{ name: 'NAME', value: 'three' }])

test.each<[string, object, object]>([
  ['a token', { token: 'one' }, { Authorization: 'Bearer one' }],
  ['a file, which comes first', { token: 'one', tokenFile: 't' }, { Authorization: 'Bearer two' }],
  ['a plugin', printer, { Authorization: 'Bearer three' }],
  ['an empty token', { token: '', tokenFile: '' }, {}],
  ['fields without a value', { token: null, 'client-key': null }, {}],
])('reads the credential of a file in the home directory: %s', async (_, user, headers) => {
  home.write('.kube/t', 'two\n')
  expect((await readAs(user)).headers).toEqual(headers)
})

test('finds a plugin by a path that is relative to the file', async () => {
  const script = '#!/bin/sh\necho \'{"status":{"token":"four"}}\'\n'
  home.write('.kube/plugin', script, 0o755)
  const { headers } = await readAs(plugin('./plugin'))
  expect(headers).toEqual({ Authorization: 'Bearer four' })
})

test.each(['echo c0ffee', 'echo \'{"status":"c0ffee"}\'', 'cat && echo c0ffee'])(
  'does not repeat what a plugin prints: %s',
  async (script) => {
    await expect(readAs(plugin('sh', ['-c', script]))).rejects.toThrow(
      /^the credential plugin sh did not print an ExecCredential$/,
    )
  },
)

test('sends the calls through the proxy of the cluster, by an address without a double slash', async () => {
  const asked: (string | undefined)[] = []
  const server = createServer().on('connect', ({ url }, socket) => {
    asked.push(url)
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
  })
  await using proxy = await listening(server)
  const { dispatcher } = await readAs({}, { 'proxy-url': `http://127.0.0.1:${proxy.port}` })
  const { cluster } = loadKubeConfig({ HOME: home.path })
  await expect(request(`${cluster.server}/version`, { dispatcher })).rejects.toThrow('403')
  await dispatcher.close()
  expect(cluster.server).toBe('https://here:6443')
  expect(asked).toEqual(['here:6443'])
})

test.each([
  ['a file without a context', '{}'],
  ['a context that does not exist', '{current-context: x, contexts: [], clusters: []}'],
])('throws for %s', async (_, content) => {
  expect(() => loadKubeConfig({ KUBECONFIG: home.write('config', content) })).toThrow(
    /^cannot read the kubeconfig file: (?:current-context is missing|the context x has no cluster).* Fix: /,
  )
})

const NO_CLUSTER = expect.stringMatching(/^no Kubernetes cluster: .* Fix: /)

test('finds nothing where the permission model of the image forbids the home directory', async () => {
  const [root, module] = ['../..', '../../src/kubernetes/kube-config.ts'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  )
  const script = `import { loadKubeConfig } from ${JSON.stringify(module)}
    try { loadKubeConfig({ HOME: '/nonexistent' }) } catch (error) { console.log(error.message) }`
  const args = ['--permission', `--allow-fs-read=${root}`, '--input-type=module', '--eval', script]
  expect(await runNode(args)).toMatchObject({ stderr: '', stdout: NO_CLUSTER })
})
