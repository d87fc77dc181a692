/** The schema of the chart's values names the alerts of its rules. */
import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createFolder } from '../fixtures/folder.ts'
import { runNode } from '../fixtures/run-program.ts'

const CHART = 'charts/wimds'
const FILE = 'values.schema.json'

test('the schema of the values is current; if not, run `npm run docs:chart`', async () => {
  using directory = createFolder()
  await cp(CHART, directory.path, { recursive: true })
  const { code, stderr } = await runNode(['scripts/chart-files.mjs', directory.path])
  expect(stderr).toBe('')
  expect(code).toBe(0)
  expect(await readFile(join(CHART, FILE), 'utf8')).toBe(
    await readFile(directory.file(FILE), 'utf8'),
  )
})
