import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { createSandboxReader, watchSandboxes } from '../../../src/node/agent/sandboxes.ts'
import { createFolder } from '../../fixtures/folder.ts'

test('throws if a record cannot be read, instead of reporting that the sandbox has ended', () => {
  const readSandboxes = createSandboxReader({
    // A read of its file mem fails.
    cniResultsDirectory: '/proc/self',
    bundlesDirectory: '/nowhere',
    netnsDirectory: '/nowhere',
  })
  expect(readSandboxes).toThrow('EIO')
})

test.each([
  ['set up', 'results', (file: string) => writeFileSync(file, '{}')],
  ['removed', 'results', (file: string) => rmSync(join(dirname(file), 'pods-c0ffee-eth0'))],
  ['started', 'bundles', (file: string) => mkdirSync(file)],
])('reports that the runtime has %s a sandbox', async (_, name, change) => {
  using directory = createFolder()
  directory.write('results/pods-c0ffee-eth0', '{}')
  mkdirSync(directory.file('bundles'))
  const ended = new AbortController()
  const changed = new Promise<void>((resolve) => {
    const directories = {
      cniResultsDirectory: directory.file('results'),
      bundlesDirectory: directory.file('bundles'),
      netnsDirectory: '/nowhere',
    }
    watchSandboxes(directories, { onChange: resolve, signal: ended.signal })
  })
  change(directory.file(`${name}/next`))
  await expect(changed).resolves.toBeUndefined()
  ended.abort()
})
