import { expect, test } from 'vitest'
import { parseQuantity } from '../../../src/injection/injector/resources.ts'

test.each<[string | number, number | undefined]>([
  [0.5, 0.5],
  ['.5', 0.5],
  ['+1', 1],
  ['1005m', 1.005],
  ['3n', 3e-9],
  ['1E-3', 0.001],
  ['1E', 1e18],
  ['1.5Gi', 1.5 * 2 ** 30],
  ['', undefined],
  ['-1', undefined],
  ['1 Gi', undefined],
  ['1constructor', undefined],
  ['1e', undefined],
])('parses the quantity %j like Kubernetes: %j', (text, expected) => {
  expect(parseQuantity(text)).toBe(expected)
})
