import { expect, test } from 'vitest'
import { addNoProxyHosts } from '../../src/lib/no-proxy.ts'

const OURS = '169.254.169.254,localhost,127.0.0.1'

test.each([
  ['neither is set', undefined, undefined, OURS],
  ['it holds others', '.corp', undefined, `.corp,${OURS}`],
  [
    'it holds some of ours',
    'localhost, 10.0.0.0/8',
    undefined,
    'localhost, 10.0.0.0/8,169.254.169.254,127.0.0.1',
  ],
  [
    'it is separated by spaces',
    'localhost .corp',
    undefined,
    'localhost .corp,169.254.169.254,127.0.0.1',
  ],
  ['it ends in a comma', '.corp,', undefined, `.corp,${OURS}`],
  ['the other alone is set', undefined, '.corp', `.corp,${OURS}`],
  ['it is empty', '', '.corp', `.corp,${OURS}`],
  ['both are set', '.one', '.other', `.one,${OURS}`],
  ['it is for all hosts', '*', undefined, '*'],
  ['the other is for all hosts', undefined, ' * ', '*'],
  ['a star is among others', '*,.corp', undefined, `*,.corp,${OURS}`],
])('names our hosts where %s', (_, value, other, expected) => {
  expect(addNoProxyHosts(value, other)).toBe(expected)
})
