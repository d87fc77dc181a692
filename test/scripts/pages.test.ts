/** Pages that scripts write from the sources are current. */
import { expect, test } from 'vitest'
import { runNode } from '../fixtures/run-program.ts'

test.each([
  ['docs/aadsts.md', 'aadsts-reference'],
  ['docs/cli.md', 'cli-reference'],
  ['docs/metrics.md, with docs/logs.md,', 'telemetry-reference'],
  ['docs/recipes', 'recipes'],
  ['the reference in charts/wimds/README.md', 'chart-readme'],
  ['charts/wimds/values.schema.json', 'chart-schema'],
  ['the first part of docs/security.md', 'sidecar-contents'],
  ['the notice “Not published yet” of pages', 'not-published'],
])('%s is what scripts/%s.mjs writes', async (_, script) => {
  const { code, stderr } = await runNode([`scripts/${script}.mjs`, '--check'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})
