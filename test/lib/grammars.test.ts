import { expect, test } from 'vitest'
import { isDnsLabel, isDnsSubdomain, parseWholeNumber } from '../../src/lib/grammars.ts'

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

test.each<[string, boolean, boolean]>([
  ['1', true, true],
  ['a'.repeat(63), true, true],
  ['a.b-c.1', false, true],
  ['a'.repeat(253), false, true],
  ['a'.repeat(254), false, false],
  ['', false, false],
  ['Shop', false, false],
  ['-a', false, false],
  ['a-', false, false],
  ['a/b', false, false],
  ['a\n', false, false],
  ['a..b', false, false],
  // At once: quadratic time would exceed the limit of a test.
  [`${'a-'.repeat(500_000)}!`, false, false],
])('%.80j is a label: %s, a subdomain: %s', (text, label, subdomain) => {
  expect(isDnsLabel(text)).toBe(label)
  expect(isDnsSubdomain(text)).toBe(subdomain)
})
