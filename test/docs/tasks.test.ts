/** Checks that the pages by task have the same parts in the same order, and that the index has all of them. */
import { describe, expect, test } from 'vitest'
import { BLOCKS, PAGES, readPage } from './pages.ts'

const TASKS = PAGES.filter((page) => page.startsWith('docs/tasks/'))

test('docs/README.md links each page', () => {
  const index = readPage('docs/README.md')
  expect(TASKS.length).toBeGreaterThan(10)
  expect(TASKS.filter((page) => !index.includes(`(${page.replace('docs/', '')})`))).toEqual([])
})

describe.each(TASKS)('%s', (page) => {
  const text = readPage(page)

  test('begins with the result, then what is needed', () => {
    const [, begin = ''] = /^# .+\n\n(?:>.*\n)*\n?([^]*)/.exec(text) ?? []
    expect(begin).toMatch(/^\*\*Result:\*\* [^]*?\n\n\*\*You need\*\* /)
  })

  test('ends with how to check and how to undo', () => {
    const headings = [...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading)
    expect(headings.slice(-2)).toEqual(['Check', 'Undo'])
  })
})

test.each(TASKS.filter((page) => readPage(page).includes('\n> ')))(
  '%s says what was not run, and when it was checked',
  (page) => {
    const [head = ''] = /^>[^]*?\n\n/m.exec(readPage(page)) ?? []
    expect(head).toMatch(/\*\*[^*]*\brun\b[^*]*\*\*/)
    expect(head).toMatch(/\b20\d\d-\d\d-\d\d\b/)
  },
)

test('every page installs the chart from where `npm run package` puts it', () => {
  const commands = BLOCKS.filter(({ text }) =>
    /\bhelm (?:install|upgrade|upgrade --install|template) wimds(?:-\w+)? /.test(text),
  )
  expect(commands.length).toBeGreaterThan(8)
  const others = commands.filter(({ text }) => !text.includes('./artifacts/charts/wimds-*.tgz'))
  expect(others.map(({ place }) => place)).toEqual([])
})
