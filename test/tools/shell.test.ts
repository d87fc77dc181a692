import { expect, test } from 'vitest'
import { namesFileForAz } from '../../src/tools/shell.ts'

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
