import { randomBytes } from 'node:crypto'
import { format, inspect } from 'node:util'
import pino from 'pino'
import { expect, test } from 'vitest'
import { Secret } from '../../src/lib/secret.ts'

const VALUE = 'eyJhbGciOiJSUzI1NiJ9.payload.signature'

test.each<[string, (secret: Secret) => string]>([
  // oxlint-disable-next-line typescript/restrict-template-expressions -- tests this conversion
  ['a template', (secret) => `${secret}`],
  ['JSON', (secret) => JSON.stringify({ secret, list: [secret] })],
  ['inspect', (secret) => inspect({ secret }, { showHidden: true, depth: 5 })],
  ['a format string', (secret) => format('%s %o %j', secret, secret, secret)],
  ['an error', (secret) => inspect(new Error('x', { cause: secret }))],
  ['its own keys', (secret) => JSON.stringify(Object.entries(secret)) + '[redacted]'],
  ['a log line', logged],
])('prints [redacted] in %s', (_, print) => {
  const text = print(new Secret(VALUE))
  expect(text).toContain('[redacted]')
  expect(text).not.toContain('eyJ')
})

function logged(secret: Secret): string {
  let text = ''
  pino({}, { write: (line: string) => (text += line) }).info({ secret, nested: { secret } }, 'x')
  return text
}

test.each([
  ['the shortest piece', (jwt: string) => jwt.slice(30, 46)],
  ['two pieces with a word between', (jwt: string) => `${jwt.slice(3, 30)}/x/${jwt.slice(41, 70)}`],
  ['the value itself', (jwt: string) => jwt],
])('redactIn redacts %s', (_, pieceOf) => {
  const jwt = `eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci50ZXN0In0.c2lnbmVk`
  const text = `AADSTS50027: "${pieceOf(jwt)}" is not valid for https://issuer.test/with/a/path`
  const redacted = new Secret(jwt).redactIn(text)
  expect(redacted).toMatch(
    /^AADSTS50027: ".*\[redacted\].*" is not valid for https:\/\/issuer.test\/with/,
  )
  for (let at = 0; at + 16 <= jwt.length; at += 1) {
    expect(redacted).not.toContain(jwt.slice(at, at + 16))
  }
})

test('redactIn takes linear time: quadratic, it would take minutes', () => {
  // A file of the largest size that is sent, and a response of the largest that is read.
  const secret = randomBytes(49_000).toString('base64url')
  const text = randomBytes(196_000).toString('base64url')
  const redacted = new Secret(secret).redactIn(`${text}${secret.slice(100, 200)}`)
  expect(redacted.length).toBeLessThan(text.length + 50)
})

test('redactIn keeps shorter pieces', () => {
  const text =
    'eyJhbGciOiJSUzI is 15 characters of it, and https://login.microsoftonline.com is none'
  expect(new Secret('eyJhbGciOiJSUzI1NiJ9.x.y').redactIn(text)).toBe(text)
  expect(new Secret('').redactIn(text)).toBe(text)
})
