import { describe, expect, test } from 'vitest'
import {
  atLeast,
  atMost,
  formatValue,
  isWithin,
  median,
  percentile,
  plus,
  times,
} from '../../bench/figures.ts'

describe('a bar', () => {
  test.each([
    ['a multiple of the baseline', times(1.3, 10), 13, 13.1],
    ['more than the baseline', plus(14, 15, 'MiB'), 29, 29.1],
    ['a limit', atMost(0, ''), 0, 1],
    ['a least number', atLeast(3), 3, 2],
  ])('that is %s holds up to its value and not past it', (_, bar, held, over) => {
    expect(isWithin({ name: 'x', unit: '', wimds: held, bar })).toBe(true)
    expect(isWithin({ name: 'x', unit: '', wimds: over, bar })).toBe(false)
  })

  test('that is missing neither holds nor fails', () => {
    expect(isWithin({ name: 'x', unit: '', wimds: 1 })).toBeUndefined()
  })
})

test('a percentile is a value that was measured, whatever their order', () => {
  const values = [5, 1, 4, 2, 3]
  expect(median(values)).toBe(3)
  expect([percentile(values, 0), percentile(values, 0.99), percentile(values, 1)]).toEqual([
    1, 5, 5,
  ])
  expect(percentile([], 0.5)).toBeNaN()
})

test.each([
  [0, '', '0'],
  [64_859.4, '/s', '64 859 /s'],
  [1_510_000, '', '1 510 000'],
  [151.4, 'ms', '151 ms'],
  [86.94, 'ms', '86.9 ms'],
  [0.214, 'ms', '0.21 ms'],
] as const)('%d %s reads %s', (value, unit, text) => {
  expect(formatValue(value, unit)).toBe(text)
})
