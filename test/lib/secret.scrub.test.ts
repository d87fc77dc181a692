import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { scrub, scrubAndTruncate, scrubSetting, Secret } from '../../src/lib/secret.ts'

const VALUE = 'eyJhbGciOiJSUzI1NiJ9.payload.signature'

test.each([
  [`before ${VALUE} after`, 'before [redacted] after'],
  [`"client_assertion=${VALUE}&x=y"`, '"client_assertion=[redacted]&x=y"'],
  [`opaque ${'aB3'.repeat(20)}!`, 'opaque [redacted]!'],
  [`key=${'aB3'.repeat(16)}==`, '[redacted]'],
  [`CAPITALS_${'A1'.repeat(30)}`, '[redacted]'],
  ['cut ImtpZCI6Im5vYm9keQ.eyJpc3MiOiJodHRw… off', 'cut [redacted]… off'],
  [
    'connect http://user:p:w@proxy:3128 failed, not https://[::1]:443/a@b',
    'connect http://[redacted]@proxy:3128 failed, not https://[::1]:443/a@b',
  ],
  [`cut ${'aB1'.repeat(8)}.${'bC2'.repeat(10)}… off`, 'cut [redacted]… off'],
  ['a\u202eb\u001b[31m\u200d\u0085\tc\n', 'a?b?[31m??\tc\n'],
])('scrub redacts %j', (text, expected) => {
  expect(scrub(text)).toBe(expected)
})

test.each([
  'system:serviceaccount:shop:payments-reconciliation-worker-production-westeurope',
  'Orders-Identity-Production-WestEurope-01-Blue-Green',
  'MC_rg-Shop-P-WEU-01_aks-Shop-P-WEU-01_westeurope',
  'FederatedIdentityCredentialConfigurationNotFoundException',
  `orders@sha256:${'0123456789abcdef'.repeat(4)}`,
  `https://oidc.example/11111111-1111-4111-8111-111111111111/22222222-2222-4222-8222-222222222222/`,
  '/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/MC_Shop-Prod/providers/Microsoft.ManagedIdentity/userAssignedIdentities/Orders-Identity',
])('scrub keeps %j, which is no secret', (text) => {
  expect(scrub(text)).toBe(text)
})

const ASSERTION = [{ alg: 'RS256', kid: 'x' }, { sub: 'system:serviceaccount:shop:orders' }]
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .join('.')

test('scrub and redactIn keep names of all lengths', () => {
  const secret = new Secret(`${ASSERTION}.${'aB3_'.repeat(80)}`)
  const keep = (name: string) => {
    const text = `Pod "${name}" of system:serviceaccount:${name}: AADSTS700213`
    expect(scrub(text)).toBe(text)
    expect(secret.redactIn(text)).toBe(text)
  }
  fc.assert(fc.property(fc.stringMatching(/^[a-z\d][a-z\d.-]{0,251}[a-z\d]$/), keep))
})

test('scrub redacts random tokens in base64 of 48 characters and more', () => {
  const token = fc.noBias(fc.uint8Array({ minLength: 72, maxLength: 300 }))
  fc.assert(
    fc.property(token, (bytes) => {
      const secret = Buffer.from(bytes).toString('base64url')
      expect(scrub(`x ${secret} x`)).toBe('x [redacted] x')
    }),
    // One random token in 100 000 consists of words of names.
    { seed: 1 },
  )
  // One that contains the beginning of a JWT.
  expect(scrub('lJsi5DtlfeyJEzt6thce8hzFUq7-4IZU5gi81QKHzRQt2UjadCFGWQU84l0LQ2j9')).toBe(
    '[redacted]',
  )
})

test('scrub redacts a JWT anywhere in a text', () => {
  const part = fc.stringMatching(/^[\w-]{20,60}$/)
  fc.assert(
    fc.property(fc.string(), part, part, part, (before, head, payload, signature) => {
      const scrubbed = scrub(`${before} eyJ${head}.${payload}.${signature} end`)
      for (const secret of [head, payload, signature]) expect(scrubbed).not.toContain(secret)
      expect(scrubbed).toContain('[redacted]')
    }),
  )
})

test('scrubAndTruncate scrubs before it truncates', () => {
  const opaque = 'Ab3_'.repeat(25)
  expect(scrubAndTruncate(`${'x '.repeat(80)}${opaque}`, 200)).toBe(`${'x '.repeat(80)}[redacted]`)
  // In a text above the limit, the word that the limit cuts is dropped.
  const text = scrubAndTruncate(`${opaque} ${'. '.repeat(8_120)}${opaque}`, 20_000)
  expect(text).toMatch(/^\[redacted\] [. ]+$/)
  expect(scrubAndTruncate('short', 3)).toBe('sho')
})

test('scrubAndTruncate returns well-formed UTF-16', () => {
  expect(scrubAndTruncate('ab😀', 3)).toBe('ab')
  expect(scrubAndTruncate('ab😀', 4)).toBe('ab😀')
  expect(scrubAndTruncate('ab\ud83d!\ude00', 9)).toBe('ab�!�')
  expect(scrub('\ud83d')).toBe('�')
})

test.each([
  ['http://user:pa/ss, w@rd//@proxy:3128', 'http://[redacted]@proxy:3128'],
  [`https://proxy/${VALUE}`, 'https://proxy/[redacted]'],
])('scrubSetting returns for %j: %j', (value, expected) => {
  expect(scrubSetting(value)).toBe(expected)
})
