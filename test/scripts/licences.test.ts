import { expect, test } from 'vitest'
import { createFolder } from '../fixtures/folder.ts'
import { runNode } from '../fixtures/run-program.ts'

/** Checks a lock file with this package and a good one. Both are bundled, unless it is a tool. */
async function judged({ isTool = false, ...entry }: { isTool?: boolean; [key: string]: unknown }) {
  using directory = createFolder()
  const components = [
    { name: 'good', version: '1.0.0' },
    ...(isTool ? [] : [{ name: 'other', version: '2.0.0' }]),
  ]
  const sbom = directory.write('sbom.cdx.json', { components })
  const packages = {
    '': { name: 'project', license: 'AGPL-3.0-only' },
    'node_modules/good': { version: '1.0.0', license: 'MIT' },
    'node_modules/other': { version: '2.0.0', ...entry },
  }
  const lockFile = directory.write('package-lock.json', { lockfileVersion: 3, packages })
  return await runNode(['scripts/licences.mjs', lockFile, sbom])
}

test('every package of the lock file has a licence that is allowed', async () => {
  const { code, stdout, stderr } = await runNode(['scripts/licences.mjs'])
  expect(stderr).toBe('')
  expect(stdout).toMatch(/^licences: [1-9]\d+ bundled packages, \d+ for development, 0 refused\n$/)
  expect(code).toBe(0)
})

test('allows a choice with one on the list, and a wider one for a tool', async () => {
  expect(await judged({ license: '(GPL-3.0-only OR ISC)' })).toMatchObject({ code: 0 })
  expect(await judged({ license: 'MPL-2.0', isTool: true })).toMatchObject({ code: 0 })
})

test.each([
  ['a licence that is not on the list', { license: 'GPL-3.0-only' }, 'has GPL-3.0-only; allowed'],
  ['one that only tools may have', { license: 'MPL-2.0' }, '(bundled) has MPL-2.0; allowed'],
  ['no licence', {}, 'names no licence'],
])('refuses %s, by the name of the package', async (_, entry, reason) => {
  const { code, stdout, stderr } = await judged(entry)
  expect(stderr).toMatch(/^licences: node_modules\/other 2\.0\.0 [^\n]+\n$/)
  expect(stderr).toContain(reason)
  expect(stdout).toContain('1 refused')
  expect(code).toBe(1)
})
