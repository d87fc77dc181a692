import { expect, test } from 'vitest'
import { runNode } from '../fixtures/run-program.ts'

test('docs/cli.md is what the declarations of the commands say', async () => {
  expect(await runNode(['scripts/cli-reference.mjs', '--check'])).toMatchObject({
    code: 0,
    stderr: '',
  })
})
