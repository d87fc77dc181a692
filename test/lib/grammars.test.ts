import { expect, test } from 'vitest'
import { isDnsLabel, isDnsSubdomain, parseWholeNumber } from '../../src/lib/grammars.ts'

test.each(['a', 'shop', 'kube-system', '1', 'a'.repeat(63)])('accepts the label %s', (text) => {
  expect(isDnsLabel(text)).toBe(true)
  expect(isDnsSubdomain(text)).toBe(true)
})

test.each(['', 'Shop', 'a-', '-a', 'a_b', 'a/b', 'a\n', 'é'])('rejects the name %j', (text) => {
  expect(isDnsLabel(text)).toBe(false)
  expect(isDnsSubdomain(text)).toBe(false)
})

test.each(['orders.v1', 'a.b-c.1', 'a'.repeat(253)])('accepts the subdomain %s only', (text) => {
  expect(isDnsLabel(text)).toBe(false)
  expect(isDnsSubdomain(text)).toBe(true)
})

test.each(['a..b', '.a', 'a.', 'a.-b', 'a'.repeat(254)])('rejects the subdomain %s', (text) => {
  expect(isDnsSubdomain(text)).toBe(false)
})

test('rejects a long text at once', () => {
  expect(isDnsSubdomain(`${'a-'.repeat(500_000)}!`)).toBe(false)
})

const PORTS = { min: 1, max: 65_535 }

test.each([
  ['1', 1],
  ['08000', 8000],
  ['65535', 65_535],
])('%s is a number of the range', (text, expected) => {
  expect(parseWholeNumber(text, PORTS)).toBe(expected)
})

test.each(['', ' ', '0', '65536', '-1', '+1', '1.5', '1e3', '0x1f40', 'Infinity', '1_000', '٨'])(
  '%j is none',
  (text) => {
    expect(parseWholeNumber(text, PORTS)).toBeUndefined()
  },
)

test('a number of hundreds of digits is none', () => {
  expect(parseWholeNumber('9'.repeat(400), PORTS)).toBeUndefined()
})
