import { expect, test } from 'vitest'
import { quoteHcl } from '../../src/tools/hcl.ts'

test.each([
  ['plain', '"plain"'],
  ['a"b\\c', String.raw`"a\"b\\c"`],
  ['${x} %{if} $x', '"$${x} %%{if} $x"'],
  ['a\nb\tc\u0007', String.raw`"a\nb\tc\u0007"`],
])('quotes %j', (text, quoted) => {
  expect(quoteHcl(text)).toBe(quoted)
})
