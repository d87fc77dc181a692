import { expect, test } from 'vitest'
import { isProxied } from '../../src/exchange/proxied.ts'

const LOGIN = 'login.microsoftonline.com'

test.each([
  [LOGIN, 443, '', true],
  [LOGIN, 443, '*', false],
  [LOGIN, 443, '*:8443', true],
  [LOGIN, 443, LOGIN, false],
  [LOGIN, 443, 'LOGIN.MicrosoftOnline.com', false],
  [LOGIN, 443, 'login.microsoftonline.com.', false],
  [`${LOGIN}.`, 443, LOGIN, false],
  [LOGIN, 443, 'microsoftonline.com', false],
  [LOGIN, 443, '.microsoftonline.com', false],
  [LOGIN, 443, '*.microsoftonline.com', false],
  [LOGIN, 443, '.login.microsoftonline.com', false],
  [LOGIN, 443, '*.login.microsoftonline.com', true],
  [LOGIN, 443, 'online.com', true],
  [LOGIN, 443, 'login.microsoftonline.com:8443', true],
  [LOGIN, 443, 'login.microsoftonline.com:443', false],
  [LOGIN, 443, 'a.example b.example,login.microsoftonline.com', false],
  ['[fd00::1]', 443, 'fd00::1', false],
  ['[fd00::1]', 443, '[fd00::1]:443', false],
  ['[fd00::1]', 443, '[fd00::1]:8443', true],
])('%s:%i with NO_PROXY=%j goes by the proxy: %s', (host, port, noProxy, expected) => {
  expect(isProxied({ host, port }, noProxy)).toBe(expected)
})

test.each([
  '127.0.0.1',
  '127.0.0.2',
  '127.255.255.255',
  '169.254.169.254',
  '169.254.1.1',
  'localhost',
  'LOCALHOST.',
  'entra.localhost',
  '[::1]',
  '[fe80::1]',
  '[febf::1]',
  '[::ffff:7f00:2]',
  '[::ffff:a9fe:101]',
])('%s never goes by the proxy: it is loopback or link-local', (host) => {
  expect(isProxied({ host, port: 443 }, '')).toBe(false)
})

test.each([
  '126.0.0.1',
  '128.0.0.1',
  '169.253.0.1',
  '10.0.0.1',
  '[::2]',
  '[fec0::1]',
  '[::ffff:a00:1]',
  'notlocalhost',
  'localhost.example',
  '127.0.0.1.example',
])('%s goes by the proxy: it only looks like a loopback or link-local host', (host) => {
  expect(isProxied({ host, port: 443 }, '')).toBe(true)
})
