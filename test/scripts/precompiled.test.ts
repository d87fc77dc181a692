import { cp, readFile, rm, truncate } from 'node:fs/promises'
import { Script } from 'node:vm'
import { expect, test } from 'vitest'
import { createFolder } from '../fixtures/folder.ts'
import { runNode } from '../fixtures/run-program.ts'

const SCRIPT = 'dist/serve.cjs'
const CACHE = `${SCRIPT}.cache`

test('V8 takes the compiled code next to the sidecar', async () => {
  const [text, cachedData] = await Promise.all([readFile(SCRIPT, 'latin1'), readFile(CACHE)])
  const script = new Script(text, { cachedData })
  expect(script.cachedDataRejected).toBe(false)
})

test.each(['absent', 'cut off'])(
  'the sidecar also starts if the compiled code is %s',
  async (how) => {
    using copy = createFolder()
    await cp('dist', copy.path, { recursive: true })
    const cache = copy.file('serve.cjs.cache')
    await (how === 'absent' ? rm(cache) : truncate(cache, 1000))
    const { code, stderr } = await runNode([copy.file('wimds.js'), 'serve'], {
      AZURE_CLIENT_ID: 'no GUID',
    })
    expect(code).toBe(64)
    expect(stderr).toContain('AZURE_CLIENT_ID')
  },
)
