/** Compares docs/compatibility.md with the clients and modes of the matrix. */
import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { formatTitle } from './matrix/client.ts'
import { COMPATIBILITY_FILE, formatCompatibility, formatVersions } from './matrix/report.ts'
import type { RowResult } from './matrix/result.ts'
import { ALL_ROWS } from './matrix/selection.ts'

const passed: readonly RowResult[] = ALL_ROWS.map((row) => ({
  language: row.client.language,
  title: formatTitle(row),
  status: 'passed',
}))

/** Returns the clients of the page with their modes, without results. */
const extractRows = (document: string): string[] =>
  document
    .slice(document.indexOf('\n## '), document.indexOf('## Without a redirect'))
    .split('\n')
    .filter((line) => line.startsWith('- '))
    .map((line) => line.replaceAll(/ ✗| \((?:skipped|not run)\)/gu, ''))

describe('docs/compatibility.md', () => {
  test('lists exactly the clients and modes of the matrix', async () => {
    const committed = extractRows(await readFile(COMPATIBILITY_FILE, 'utf8'))
    const expected = extractRows(formatCompatibility(passed))
    expect(committed).toEqual(expected)
  })

  test('has the minimum versions that wimds report knows', async () => {
    const page = await readFile(COMPATIBILITY_FILE, 'utf8')
    expect(page.slice(page.indexOf('## Minimum SDK version'))).toBe(formatVersions())
  })

  test('lists no failed client', async () => {
    expect(await readFile(COMPATIBILITY_FILE, 'utf8')).not.toMatch(/^- .*✗/mu)
  })
})
