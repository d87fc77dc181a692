import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ERROR_KINDS } from '../../src/lib/errors.ts'
import { PAGES, readPage, resolveFrom } from './pages.ts'

describe('docs/troubleshooting.md', () => {
  const [errors = ''] = readPage('docs/troubleshooting.md').split('\n## Checks of doctor\n')
  const headings = [...errors.matchAll(/^### (\w+)$/gm)].map(([, code]) => code)

  test('has one heading for each error code before the checks of doctor, and no other', () => {
    expect(headings).toHaveLength(Object.keys(ERROR_KINDS).length)
    expect(new Set(headings)).toEqual(new Set(Object.keys(ERROR_KINDS)))
  })
})

test('docs/README.md links each page of docs/tasks', () => {
  const paths = PAGES.flatMap((page) => /^docs\/(tasks\/.*)/.exec(page)?.[1] ?? [])
  expect(paths.length).toBeGreaterThan(10)
  expect(paths.filter((path) => !readPage('docs/README.md').includes(`(${path})`))).toEqual([])
})

describe.each(PAGES)('%s', (page) => {
  // [text](path#anchor), and [text]: path of a reference.
  const links = [
    ...readPage(page).matchAll(
      /(?:\]\(|^\[[^\]\n]+\]: )(?!https?:)([^)#\s]*)(?:#([\w-]*))?(?:\)|$)/gm,
    ),
  ]

  test('links only to pages and headings that exist', () => {
    const missing = links.filter(([, path = '', anchor]) => {
      if (path !== '' && !existsSync(resolveFrom(page, path))) return true
      const isHeading = anchor !== undefined && /^$|\.md$/.test(path)
      return isHeading && !anchorsOf(pageAt(page, path)).has(anchor)
    })
    expect(missing.map(([link]) => link)).toEqual([])
  })
})

/** The page that a link leads to, by its path in the repository. */
function pageAt(page: string, path: string): string {
  if (path === '') return page
  const target = resolveFrom(page, path)
  return PAGES.find((each) => resolveFrom('README.md', each) === target) ?? path
}

/** How GitHub names its headings: https://github.com/gjtorikian/html-pipeline, TableOfContentsFilter. */
function anchorsOf(page: string): ReadonlySet<string> {
  return new Set(
    [...readPage(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}
