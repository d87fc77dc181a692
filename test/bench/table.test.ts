import { expect, test } from 'vitest'
import { atMost, type Figure, findExceeded } from '../../bench/figures.ts'
import { incumbentTable, promiseTable, verdict } from '../../bench/table.ts'

const slow: Figure = { name: 'slowest', unit: 'ms', wimds: 120, bar: atMost(100, 'ms') }
const promised: Figure = {
  name: 'failed',
  unit: '',
  wimds: 0,
  bar: atMost(0, ''),
  promise: { text: 'No request fails', source: 'outage.ts' },
}
const compared: Figure = { name: 'CPU', unit: 'µs', wimds: 25, incumbent: 35 }

test('a bar that is exceeded is found and named, with its value', () => {
  expect(findExceeded([slow, promised, compared])).toEqual([slow])
  expect(verdict([slow, promised, compared])).toBe(
    '1 of 2 bars hold.\nexceeded: slowest: 120 ms, ≤ 100 ms',
  )
  expect(verdict([promised])).toBe('1 of 1 bars hold.')
})

test('promises are listed with their limit and the file that measures them', () => {
  const [, , row, ...others] = promiseTable([slow, promised, compared]).split('\n')
  expect(row?.split(/\s*\|\s*/)).toEqual([
    '',
    'No request fails',
    '≤ 0',
    '0',
    '[outage.ts](../bench/outage.ts)',
    '',
  ])
  expect(others).toEqual([])
})

test('the comparison has the figures of both, and says so where there are none', () => {
  const [, , row, ...others] = incumbentTable([slow, compared]).split('\n')
  expect(row?.split(/\s*\|\s*/)).toEqual(['', 'CPU', '25 µs', '35 µs', ''])
  expect(others).toEqual([])
  expect(incumbentTable([slow])).toContain('Not measured in this run')
})
