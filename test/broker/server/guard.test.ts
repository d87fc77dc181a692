import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createGuard } from '../../../src/broker/server/guard.ts'
import { thrownCode } from '../dialects/thrown-code.ts'

const TOKEN = '/metadata/identity/oauth2/token'

interface Sent {
  readonly method?: string
  readonly url?: string
  readonly httpVersion?: string
  /** Names and values alternate, as they were sent. */
  readonly headers?: string[]
}

/** Returns the error code for a request that is valid except for `sent`; `passed` if it passes. */
function check(sent: Sent, allowedHosts: readonly string[] = ['imds.internal']): string {
  const { method = 'GET', url = TOKEN, httpVersion = '1.1' } = sent
  const rawHeaders = sent.headers ?? ['Host', '169.254.169.254']
  const headers: Record<string, string> = {}
  for (let index = 0; index < rawHeaders.length; index += 2) {
    headers[String(rawHeaders[index]).toLowerCase()] ??= String(rawHeaders[index + 1])
  }
  const guard = createGuard(allowedHosts)
  const request = { method, url, httpVersion, headers, rawHeaders }
  return thrownCode(() => guard(request)) ?? 'passed'
}

test.each([
  '169.254.169.254',
  '169.254.169.254:8000',
  'LOCALHOST:42',
  '127.8.9.10:8000',
  '[::1]:8000',
  'IMDS.Internal:1',
])('accepts the host %s', (host) => {
  expect(check({ headers: ['Host', host] })).toBe('passed')
})

test.each([
  '',
  '169.254.169.254.evil.example',
  'evil.example@169.254.169.254',
  '169.254.169.254:80a',
  '169.254.169.254,evil.example',
  '2852039166',
  '[::1',
  '[169.254.169.254]',
])('rejects the host %j', (host) => {
  expect(check({ headers: ['Host', host] })).toBe('host_not_allowed')
})

test('rejects two Host headers, and none in HTTP/1.1, but accepts none in HTTP/1.0', () => {
  expect(check({ headers: [], httpVersion: '1.1' })).toBe('host_not_allowed')
  expect(check({ headers: [], httpVersion: '1.0' })).toBe('passed')
  const twice = ['Host', '169.254.169.254', 'hOsT', '169.254.169.254']
  expect(check({ headers: twice, httpVersion: '1.0' })).toBe('host_not_allowed')
})

test('checks the host of a target in absolute form instead of the header, but requires the header in HTTP/1.1', () => {
  const headers = ['Host', 'evil.example']
  const url = `http://localhost:8000${TOKEN}?x`
  expect(check({ url, headers })).toBe('passed')
  expect(check({ url, headers: [] })).toBe('host_not_allowed')
  expect(check({ url, headers: [], httpVersion: '1.0' })).toBe('passed')
})

test.each([
  `http://evil.example${TOKEN}`,
  `http://169.254.169.254@evil.example${TOKEN}`,
  `http://evil.example\\@169.254.169.254${TOKEN}`,
  `http://${TOKEN}`,
])('rejects the host of the target %s', (url) => {
  expect(check({ url })).toBe('host_not_allowed')
})

test.each([
  '/metadata\\identity/oauth2/token',
  '/metadata/identity%2Foauth2/token',
  '/metadata/.%2E/identity/oauth2/token',
  '/metadata/identity/oauth2/token%00',
  '/metadata/identity/oauth2/%74oken',
  '/metadata/identity/oauth2/to%E2%84%AAen',
  '/metadata/identity/oauth2/token#x',
  'metadata/identity/oauth2/token',
  '',
  'https://169.254.169.254/metadata/identity/oauth2/token',
  'http://169.254.169.254/metadata/../x',
])('rejects the path %j', (url) => {
  expect(check({ url })).toBe('invalid_path')
})

test.each([
  `${TOKEN}/`,
  `${TOKEN}?resource=https://vault.azure.net/../x%2f%5c`,
  '/metadata/instance/compute/tags.list',
  '/metadata/instance/compute/a%20b%C3%A9',
])('accepts the path %j', (url) => {
  expect(check({ url })).toBe('passed')
})

test('rejects another method than GET below /metadata', () => {
  const method = 'PROPFIND'
  expect(check({ method })).toBe('method_not_allowed')
  expect(check({ method, url: '/Metadata/instance' })).toBe('method_not_allowed')
  expect(check({ method, url: '//metadata' })).toBe('method_not_allowed')
  expect(check({ method, url: '/metadatax' })).toBe('passed')
})

test.each([
  ['GET', '//Metadata/Identity//GetPlatformMetadata/'],
  ['POST', '/metadata/identity/issuecredential?cred-api-version=2.0'],
])('rejects %s %s as IMDSv2, whatever the method', (method, url) => {
  expect(check({ method, url })).toBe('imdsv2_not_supported')
})

test('accepts no host that is not allowed', () => {
  const hosts = fc.oneof(fc.domain(), fc.ipV4(), fc.string(), fc.webAuthority())
  const allowed = /^(?:169\.254\.169\.254|localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d*)?$/i
  fc.assert(
    fc.property(hosts, (host) => {
      fc.pre(!allowed.test(host))
      expect(check({ headers: ['Host', host] }, [])).toBe('host_not_allowed')
    }),
  )
})

test('accepts no path that a URL parser changes', () => {
  const piece = fc.constantFrom(...'/ // metadata .. . \\ %2f %2E %5C % a'.split(' '))
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const path = `/${pieces.join('')}`
      fc.pre(check({ url: path }) === 'passed')
      const { pathname } = new URL(`http://h${path.replace(/^\/+/, '/')}`)
      expect(pathname).toBe(path.replace(/^\/+/, '/'))
    }),
  )
})

test('the rejection of a host names the host, in printable characters and shortened, and the allowed hosts', () => {
  const guard = createGuard(['imds.internal'])
  const host = `<b>\u0007${'a.'.repeat(5000)}`
  const request = { method: 'GET', url: TOKEN, httpVersion: '1.1', rawHeaders: ['Host', host] }
  expect(() => guard({ ...request, headers: { host } })).toThrow(
    /^The host '\?b\?\?[a.?]{1,200}' is .*, imds\.internal\. Fix: /,
  )
})
