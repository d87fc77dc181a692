import { expect, test } from 'vitest'
import { parseQuantity } from '../../../src/injection/injector/resources.ts'

test.each<[string | number, number | undefined]>([
  ['1', 1],
  [0.5, 0.5],
  ['.5', 0.5],
  ['5.', 5],
  ['+1', 1],
  ['1005m', 1.005],
  ['3u', 0.000003],
  ['3n', 3e-9],
  ['2k', 2000],
  ['1e9', 1e9],
  ['1E-3', 0.001],
  ['1E', 1e18],
  ['2P', 2e15],
  ['1.5Gi', 1.5 * 2 ** 30],
  ['1Ei', 2 ** 60],
  ['', undefined],
  ['.', undefined],
  ['-1', undefined],
  ['1 Gi', undefined],
  ['1mi', undefined],
  ['1constructor', undefined],
  ['1e', undefined],
  ['many', undefined],
])('parses the quantity %j like Kubernetes: %j', (text, expected) => {
  expect(parseQuantity(text)).toBe(expected)
})
