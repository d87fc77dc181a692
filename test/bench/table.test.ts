import { expect, test } from 'vitest'
import { atMost, type Figure, findExceeded } from '../../bench/figures.ts'
import { table, verdict } from '../../bench/table.ts'

const slow: Figure = { name: 'slowest', unit: 'ms', wimds: 120, bar: atMost(100, 'ms') }
const none: Figure = {
  name: 'failed',
  unit: '',
  wimds: 0,
  bar: atMost(0, ''),
}
const compared: Figure = { name: 'CPU', unit: 'µs', wimds: 25, incumbent: 35 }

test('a bar that is exceeded is found and named, with its value', () => {
  expect(findExceeded([slow, none, compared])).toEqual([slow])
  expect(verdict([slow, none, compared])).toBe(
    '1 of 2 bars hold.\nexceeded: slowest: 120 ms, ≤ 100 ms',
  )
  expect(verdict([none])).toBe('1 of 1 bars hold.')
})

/** Returns the cells of the table, row by row. */
const rows = (figures: readonly Figure[]) =>
  table(figures)
    .split('\n')
    .map((row) => row.split(/\s*\|\s*/).slice(1, -1))

test('the table has the figures of the Go proxy if the run has some, and marks an exceeded bar', () => {
  const [head, , ...others] = rows([slow, compared])
  expect(head).toEqual(['Figure', 'wimds', 'bare node:http', 'Go proxy', 'Bar'])
  expect(others).toEqual([
    ['slowest', '120 ms', '', '', '≤ 100 ms: over'],
    ['CPU', '25 µs', '', '35 µs', ''],
  ])
  expect(rows([none])).toContainEqual(['failed', '0', '', '≤ 0'])
})
