import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { readPage, ROOT } from './pages.ts'

const { scripts }: { scripts: Record<string, string> } = JSON.parse(
  readFileSync(join(ROOT, 'package.json'), 'utf8'),
)
const PAGE = readPage('CONTRIBUTING.md')
const [, TABLE = ''] = /\n## To change X, open Y\n([^]*?)\n## /.exec(PAGE) ?? []
/** What the second column names, by the first. */
const ROWS = [...TABLE.matchAll(/^\| (?!to change|-)(.+?) +\| (.+?) +\|$/gm)].map(
  ([, subject = '', files = '']) =>
    [subject, [...files.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)] as const,
)

/** Returns whether it is a script of package.json, or files; a bare name is beside the first file of its row. */
function isThere(name: string, [first = '']: readonly string[]): boolean {
  const [, script] = /^npm run (\S+)$/.exec(name) ?? []
  if (script !== undefined) return script in scripts
  const path = name.includes('/') ? name : `${dirname(first)}/${name}`
  return globSync(path, { cwd: ROOT }).length > 0
}

test('the table names only files and scripts that are there', () => {
  expect(ROWS.length).toBeGreaterThan(10)
  const missing = ROWS.flatMap(([subject, names]) =>
    names.filter((name) => !isThere(name, names)).map((name) => [subject, name]),
  )
  expect(missing).toEqual([])
})

test('the checklists name only files and scripts that are there', () => {
  const [, list = ''] = /\n## Checklists\n([^]*?)\n## /.exec(PAGE) ?? []
  const names = [...list.matchAll(/`((?:src|test|docs)\/[^`]+|npm run [^`]+)`/g)].map(
    ([, name = '']) => name.replace('NAME', '*'),
  )
  expect(names.length).toBeGreaterThan(10)
  expect(names.filter((name) => !isThere(name, []))).toEqual([])
})
