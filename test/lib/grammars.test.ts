import { expect, test } from 'vitest'
import { isDnsLabel, isDnsSubdomain } from '../../src/lib/grammars.ts'

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
