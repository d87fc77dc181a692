import { expect, test } from 'vitest'
import { firstItems } from '../../src/lib/first-items.ts'

test.each([
  [[], []],
  [
    ['a', 'b'],
    ['a', 'b'],
  ],
  [
    ['a', 'b', 'c', 'd'],
    ['a', 'b', 'and 2 more'],
  ],
])('shortens %j to %j', (items, expected) => {
  expect(firstItems(items, 2)).toEqual(expected)
})
