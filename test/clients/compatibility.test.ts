/** docs/compatibility.md holds what the matrix runs: a row for each client, a mark for each mode. */
import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { CLIENTS } from './matrix/clients.ts'
import { titleOf } from './matrix/client.ts'
import { compatibilityDocument, COMPATIBILITY_FILE } from './matrix/report.ts'
import type { RowResult } from './matrix/result.ts'
import { ALL_ROWS, parseSelection } from './matrix/selection.ts'

const passed: readonly RowResult[] = ALL_ROWS.map((row) => ({
  language: row.client.language,
  title: titleOf(row),
  status: 'passed',
}))

/** The page without what a run decides: which of a client's modes worked, and column widths. */
const shapeOf = (document: string): string[] =>
  document
    .slice(0, document.indexOf('## Without a redirect'))
    .split('\n')
    .filter((line) => /✓|✗|skipped|not run/u.test(line) && line.startsWith('| '))
    .map((line) => line.replaceAll(/✓|✗|skipped|not run/gu, '?').replaceAll(/ +|-+/gu, ' '))

describe('docs/compatibility.md', () => {
  test('has exactly the clients and modes of the matrix', async () => {
    const committed = shapeOf(await readFile(COMPATIBILITY_FILE, 'utf8'))
    const expected = shapeOf(compatibilityDocument(passed))
    expect(committed).toEqual(expected)
  })

  test('says of no client that it fails', async () => {
    expect(await readFile(COMPATIBILITY_FILE, 'utf8')).not.toMatch(/^\|.*✗/mu)
  })
})

describe('the matrix', () => {
  test('names every client once', () => {
    const names = CLIENTS.map(({ language, name, version }) => `${language} ${name} ${version}`)
    expect(new Set(names).size).toBe(names.length)
  })

  test('runs the rows that --only and --modes both allow', () => {
    const { rows } = parseSelection(['--only', 'msrestazure', '--modes', 'imds,cloud-shell'])
    expect(rows.map(({ mode }) => mode)).toEqual([
      'system',
      'client-id',
      'object-id',
      'resource-id',
      'cloud-shell',
    ])
  })

  test('refuses a mode that does not exist', () => {
    expect(() => parseSelection(['--modes', 'imds,imsd'])).toThrow('no such mode: imsd')
  })
})
