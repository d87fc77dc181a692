import { expect, test } from 'vitest'
import { addNoProxyHosts } from '../../src/lib/sdk-variables.ts'

const HOSTS = '169.254.169.254,localhost,127.0.0.1'

test.each([
  ['neither is set', undefined, undefined, HOSTS],
  [
    'it has some of them',
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
  ['only the other is set', undefined, '.corp', `.corp,${HOSTS}`],
  ['both are set, and it ends in a comma', '.one,', '.other', `.one,${HOSTS}`],
  ['the other is a lone star', undefined, ' * ', '*'],
  ['it has a star and others', '*,.corp', undefined, `*,.corp,${HOSTS}`],
])('addNoProxyHosts adds the hosts when %s', (_, value, other, expected) => {
  expect(addNoProxyHosts(value, other)).toBe(expected)
})
