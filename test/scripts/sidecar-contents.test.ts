import { expect, test } from 'vitest'
import { runNode } from '../fixtures/run-program.ts'

test('docs/security.md has the packages and the number of lines of the sidecar', async () => {
  expect(await runNode(['scripts/sidecar-contents.mjs', '--check'])).toMatchObject({
    code: 0,
    stderr: '',
  })
})
