/** CONTRIBUTING.md names only what is there. */
import { globSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import { readPage, ROOT } from './pages.ts'

const { scripts }: { scripts: Record<string, string> } = JSON.parse(
  readFileSync('package.json', 'utf8'),
)
const [, SECTIONS = ''] =
  /\n## To change X, open Y\n([^]*?)\n## Glossary/.exec(readPage('CONTRIBUTING.md')) ?? []

/** Returns the files and scripts of a row or paragraph that are not there; a bare file name is beside the file before it. */
function findMissing(text: string): string[] {
  let folder = ''
  const names = text.matchAll(
    /`((?:src|test|docs|native|charts)\/[^`]+|[\w-]+\.ts|npm run [^`]+)`/g,
  )
  return [...names].flatMap(([, name = '']) => {
    if (name.startsWith('npm run ')) return name.slice('npm run '.length) in scripts ? [] : [name]
    const path = (name.includes('/') ? name : `${folder}/${name}`).replace('NAME', '*')
    folder = dirname(path)
    return globSync(path, { cwd: ROOT }).length > 0 ? [] : [name]
  })
}

test('the table and the checklists name only files and scripts that are there', () => {
  expect(SECTIONS.split('`src/').length).toBeGreaterThan(20)
  expect(SECTIONS.split('\n').flatMap(findMissing)).toEqual([])
})
