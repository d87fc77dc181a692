import { mkdir, mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runNode } from '../fixtures/run-program.ts'
import { loadKubeConfig, readCredentials } from '../../src/cluster/kube-config.ts'

let home: Awaited<ReturnType<typeof mkdtempDisposable>>
beforeEach(async () => {
  home = await mkdtempDisposable(join(tmpdir(), 'wimds-kube-'))
  await mkdir(join(home.path, '.kube'))
})
afterEach(() => home.remove())

/** Writes ~/.kube/config with this user, and reads the credentials by it. */
async function readAs(user: object) {
  const config = {
    'current-context': 'b',
    contexts: [
      { name: 'a', context: { cluster: 'other', user: 'other' } },
      { name: 'b', context: { cluster: 'here', user: 'me' } },
    ],
    clusters: [{ name: 'here', cluster: { server: 'https://here:6443' } }],
    users: [{ name: 'me', user }],
  }
  await writeFile(join(home.path, '.kube/config'), JSON.stringify(config))
  const found = loadKubeConfig({ HOME: home.path })
  if (found === undefined) throw new Error('nothing was found')
  expect(found.cluster.server).toBe('https://here:6443')
  return readCredentials(found)
}

test.each<[string, object, object]>([
  ['a token', { token: 'one' }, { Authorization: 'Bearer one' }],
  [
    'a file beside it, which comes first',
    { token: 'one', tokenFile: 't' },
    { Authorization: 'Bearer two' },
  ],
  [
    'a plugin',
    {
      exec: {
        apiVersion: 'client.authentication.k8s.io/v1',
        command: 'sh',
        args: ['-c', 'echo "{\\"status\\":{\\"token\\":\\"$NAME\\"}}"'],
        env: [{ name: 'NAME', value: 'three' }],
      },
    },
    { Authorization: 'Bearer three' },
  ],
  ['no credential', {}, {}],
])('reads the credential of a file in the home directory: %s', async (_, user, headers) => {
  await writeFile(join(home.path, '.kube/t'), 'two\n')
  expect((await readAs(user)).headers).toEqual(headers)
})

test.each([
  ['a file without a context', '{}'],
  ['a context that does not exist', '{current-context: x, contexts: [], clusters: []}'],
])('throws for %s', async (_, content) => {
  await writeFile(join(home.path, 'config'), content)
  expect(() => loadKubeConfig({ KUBECONFIG: join(home.path, 'config') })).toThrow(
    /^(?:current-context is missing|the context x has no cluster)/,
  )
})

test('finds nothing outside a pod without a file', () => {
  expect(loadKubeConfig({ HOME: home.path })).toBeUndefined()
})

test('finds nothing where the permission model of the image forbids the home directory', async () => {
  const [root, module] = ['../..', '../../src/cluster/kube-config.ts'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  )
  const script = `import { loadKubeConfig } from ${JSON.stringify(module)}
    console.log(loadKubeConfig({ HOME: '/nonexistent' }))`
  const args = ['--permission', `--allow-fs-read=${root}`, '--input-type=module', '--eval', script]
  expect(await runNode(args)).toMatchObject({ stderr: '', stdout: 'undefined\n' })
})
