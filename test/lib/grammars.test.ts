import { expect, test } from 'vitest'
import { parseWholeNumber } from '../../src/lib/grammars.ts'

const PORTS = { min: 1, max: 65_535 }

test.each([
  ['1', 1],
  ['08000', 8000],
  ['65535', 65_535],
])('%s is a number of the range', (text, expected) => {
  expect(parseWholeNumber(text, PORTS)).toBe(expected)
})

test.each(['', '0', '65536', '1.5', '1e3', '0x1f40', '٨', '9'.repeat(400)])(
  '%j is none',
  (text) => {
    expect(parseWholeNumber(text, PORTS)).toBeUndefined()
  },
)
