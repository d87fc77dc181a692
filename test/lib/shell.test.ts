import { expect, test } from 'vitest'
import { namesFileForAz, quoteHcl } from '../../src/lib/shell.ts'

test.each(['@/etc/passwd', '@token', 'https://x/?a=@/etc/passwd', 'a=@b=c', '=@b'])(
  '%s is replaced by a file',
  (argument) => {
    expect(namesFileForAz(argument)).toBe(true)
  },
)

test.each(['', 'api://AzureADTokenExchange', 'me@example.com', 'a=b@c', 'a=b=@c'])(
  '%j is not',
  (argument) => {
    expect(namesFileForAz(argument)).toBe(false)
  },
)

test.each([
  ['plain', '"plain"'],
  ['a"b\\c', String.raw`"a\"b\\c"`],
  ['${x} %{if} $x', '"$${x} %%{if} $x"'],
  ['a\nb\tc\u0007', String.raw`"a\nb\tc\u0007"`],
])('quotes %j', (text, quoted) => {
  expect(quoteHcl(text)).toBe(quoted)
})
