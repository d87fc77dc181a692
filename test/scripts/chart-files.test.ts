/** The chart has the rules and the dashboard of the examples, and its schema names their alerts. */
import { cp, mkdtempDisposable, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runNode } from '../fixtures/run-program.ts'

const CHART = 'charts/wimds'
const FILES = ['files/rules.yaml', 'files/dashboard.json', 'values.schema.json']

test('the files of the chart are current; if not, run `npm run docs:chart`', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'wimds-chart-'))
  await cp(CHART, directory.path, { recursive: true })
  // What is written, and not what was there.
  for (const name of FILES.slice(0, 2)) await writeFile(join(directory.path, name), '')
  const { code, stderr } = await runNode(['scripts/chart-files.mjs', directory.path])
  expect(stderr).toBe('')
  expect(code).toBe(0)
  for (const name of FILES) {
    expect(await readFile(join(CHART, name), 'utf8')).toBe(
      await readFile(join(directory.path, name), 'utf8'),
    )
  }
})
