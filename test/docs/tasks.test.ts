/** Checks that the index has all pages by task, and where the pages install the chart from. */
import { expect, test } from 'vitest'
import { BLOCKS, PAGES, readPage } from './pages.ts'

const TASKS = PAGES.filter((page) => page.startsWith('docs/tasks/'))

test('docs/README.md links each page', () => {
  const index = readPage('docs/README.md')
  expect(TASKS.length).toBeGreaterThan(10)
  expect(TASKS.filter((page) => !index.includes(`(${page.replace('docs/', '')})`))).toEqual([])
})

test('every page installs the chart from where `npm run package` puts it', () => {
  const commands = BLOCKS.filter(({ text }) =>
    /\bhelm (?:install|upgrade|upgrade --install|template) wimds(?:-\w+)? /.test(text),
  )
  expect(commands.length).toBeGreaterThan(8)
  const others = commands.filter(({ text }) => !text.includes('./artifacts/charts/wimds-*.tgz'))
  expect(others.map(({ place }) => place)).toEqual([])
})
