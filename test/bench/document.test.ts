import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Report } from '../../bench/figures.ts'
import { withTable } from '../../bench/publish.ts'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const reference: Report = JSON.parse(read('bench/results/reference.json'))

test('docs/performance.md has the table of the reference', () => {
  const page = read('docs/performance.md')
  expect(withTable(page, reference)).toBe(page)
})

test('a page without its marks is refused rather than left as it was', () => {
  expect(() => withTable('# Performance\n', reference)).toThrow('lost its marks')
})
