import { expect, test } from 'vitest'
import { Secret } from '../../../src/lib/secret.ts'
import { usesProxy } from '../../../src/tools/doctor/connectivity.ts'

const LOGIN = 'login.microsoftonline.com'

test.each([
  [LOGIN, '', true],
  [LOGIN, '*', false],
  [LOGIN, 'a.example microsoftonline.com', false],
  [LOGIN, 'online.com,login.microsoftonline.com:8443', true],
  ['127.0.0.1', '', false],
  ['localhost', '', false],
  ['[::1]', '', false],
])('usesProxy returns for %s with NO_PROXY=%j: %s', async (host, noProxy, expected) => {
  const proxy = { url: new Secret('http://proxy.example:3128'), noProxy }
  expect(await usesProxy(`https://${host}`, proxy)).toBe(expected)
})
