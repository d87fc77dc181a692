/** The chart has the rules and the dashboard of the examples, and its schema names their alerts. */
import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createFolder } from '../fixtures/folder.ts'
import { runNode } from '../fixtures/run-program.ts'

const CHART = 'charts/wimds'
const FILES = ['files/rules.yaml', 'files/dashboard.json', 'values.schema.json']

test('the files of the chart are current; if not, run `npm run docs:chart`', async () => {
  using directory = createFolder()
  await cp(CHART, directory.path, { recursive: true })
  // What is written, and not what was there.
  for (const name of FILES.slice(0, 2)) directory.write(name, '')
  const { code, stderr } = await runNode(['scripts/chart-files.mjs', directory.path])
  expect(stderr).toBe('')
  expect(code).toBe(0)
  for (const name of FILES) {
    expect(await readFile(join(CHART, name), 'utf8')).toBe(
      await readFile(directory.file(name), 'utf8'),
    )
  }
})
