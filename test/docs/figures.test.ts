/** The figures that other pages quote are near those of docs/performance.md, which each run of the benchmark writes. */
import { expect, test } from 'vitest'
import { readPage } from './pages.ts'

const performance = readPage('docs/performance.md')

test.each([
  ['README.md', /(\d+) MiB of memory idle/, 'private memory, idle'],
  ['README.md', /(\d+) ms\s+until it listens/, 'exec → healthy'],
  ['docs/tasks/roll-out.md', /\| (\d+) MiB; \d+ MiB \|/, 'private memory, idle'],
  ['docs/tasks/roll-out.md', /\| \d+ MiB; (\d+) MiB \|/, 'private memory after 200 000 requests'],
])('%s quotes %s within a fifth', (page, quote, row) => {
  const [, quoted] = quote.exec(readPage(page)) ?? []
  const [, measured] = new RegExp(`^\\| ${row} +\\| ([\\d.]+) `, 'm').exec(performance) ?? []
  const ratio = Number(quoted) / Number(measured)
  expect(ratio).toBeGreaterThan(0.8)
  expect(ratio).toBeLessThan(1.2)
})
