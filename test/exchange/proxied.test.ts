import { expect, test } from 'vitest'
import { isProxied } from '../../src/doctor/no-proxy.ts'

test.each([
  ['login.microsoftonline.com', 443, '', true],
  ['login.microsoftonline.com', 443, '*', false],
  ['login.microsoftonline.com', 443, 'login.microsoftonline.com', false],
  ['login.microsoftonline.com', 443, 'LOGIN.MicrosoftOnline.com', false],
  ['login.microsoftonline.com', 443, 'microsoftonline.com', true],
  ['login.microsoftonline.com', 443, '.microsoftonline.com', false],
  ['login.microsoftonline.com', 443, '*.microsoftonline.com', false],
  ['login.microsoftonline.com', 443, 'login.microsoftonline.com:8443', true],
  ['login.microsoftonline.com', 443, 'login.microsoftonline.com:443', false],
  ['login.microsoftonline.com', 443, 'a.example b.example,login.microsoftonline.com', false],
  ['127.0.0.1', 443, '', false],
  ['169.254.169.254', 80, '', false],
  ['localhost', 443, '', false],
])('%s:%i with NO_PROXY=%j goes by the proxy: %s', (host, port, noProxy, expected) => {
  expect(isProxied(host, port, noProxy)).toBe(expected)
})
