import { expect, test } from 'vitest'
import { isDnsLabel, isDnsSubdomain } from '../../src/lib/grammars.ts'

test.each(['a', '1', 'a'.repeat(63)])('accepts the label %s', (text) => {
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
