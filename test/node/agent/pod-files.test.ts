/** Reads files of a kubelet's directory of this test. */
import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { PodFiles } from '../../../src/node/agent/pod-files.ts'
import { compiledHelper } from './helper.ts'
import { nodeModePod, routedPod, TOKEN_DIRECTORY } from './pods.ts'
import { createFolder } from '../../fixtures/folder.ts'

const UID = nodeModePod().metadata.uid

compiledHelper()

/** Creates a pod with a projected token, as the kubelet does, and a secret next to it. */
function setUp() {
  const folder = createFolder()
  const { path: directory, file, write } = folder
  const volume = file(`${UID}/volumes/kubernetes.io~projected/wimds-token`)
  write(`${UID}/volumes/kubernetes.io~projected/wimds-token/..1/token`, 'the token', 0o600)
  symlinkSync('..1', join(volume, '..data'))
  symlinkSync('..data/token', join(volume, 'token'))
  write(`${UID}/volumes/kubernetes.io~secret/password`, 'secret')
  const files = new PodFiles(directory)
  onTestFinished(() => {
    files.close()
    folder[Symbol.dispose]()
  })
  return { files, pod: routedPod(), volume }
}

test('answers many requests in their order', async () => {
  const { files, pod, volume } = setUp()
  const names = Array.from({ length: 100 }, (_, index) => `file-äöü-${index}`)
  for (const name of names) writeFileSync(join(volume, name), name.repeat(500))
  const texts = names.map((name) => files.read(pod, `${TOKEN_DIRECTORY}/${name}`))
  expect(await Promise.all(texts)).toEqual(names.map((name) => ({ text: name.repeat(500) })))
})

test.each([
  ['that no mount covers', '/etc/passwd'],
  ['next to a mount', `${TOKEN_DIRECTORY}-too/token`],
  ['of another volume', `${TOKEN_DIRECTORY}/../../kubernetes.io~secret/password`],
  ['with a second request', `${TOKEN_DIRECTORY}/x\n${UID} volumes/kubernetes.io~secret/password`],
  ['that does not exist', `${TOKEN_DIRECTORY}/other`],
])('refuses a path %s', async (_, path) => {
  const { files, pod } = setUp()
  expect(await files.read(pod, path)).toEqual({ code: 'ENOENT' })
})

test.each([
  ['that is missing', '/tmp'],
  // As spawn does without memory.
  ['for which spawn throws', '\0'],
])('reports a helper %s, and starts it for the next request', async (_, directory) => {
  vi.stubEnv('PATH', '/nonexistent')
  onTestFinished(() => void vi.unstubAllEnvs())
  const files = new PodFiles(directory)
  for (let count = 0; count < 2; count += 1) {
    expect(await files.read(routedPod(), `${TOKEN_DIRECTORY}/token`)).toEqual({ code: 'EIO' })
  }
})
