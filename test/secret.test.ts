import { createHash } from 'node:crypto'
import { format, inspect } from 'node:util'
import * as fc from 'fast-check'
import pino from 'pino'
import { expect, test } from 'vitest'
import { scrub, Secret } from '../src/secret.ts'

const VALUE = 'eyJhbGciOiJSUzI1NiJ9.payload.signature'

test.each<[string, (secret: Secret) => string]>([
  // oxlint-disable-next-line typescript/restrict-template-expressions -- the mistake is the point
  ['a template', (secret) => `${secret}`],
  ['a concatenation', (secret) => 'x' + String(secret)],
  ['JSON', (secret) => JSON.stringify({ secret, list: [secret] })],
  ['inspect', (secret) => inspect({ secret }, { showHidden: true, depth: 5 })],
  ['a format string', (secret) => format('%s %o %j', secret, secret, secret)],
  ['an error', (secret) => inspect(new Error('x', { cause: secret }))],
  ['its own keys', (secret) => JSON.stringify(Object.entries(secret)) + '[redacted]'],
  ['a log line', logged],
])('does not show through %s', (_, show) => {
  const shown = show(new Secret(VALUE))
  expect(shown).toContain('[redacted]')
  expect(shown).not.toContain('eyJ')
})

function logged(secret: Secret): string {
  let text = ''
  pino({}, { write: (line: string) => (text += line) }).info({ secret, nested: { secret } }, 'x')
  return text
}

test('gives its value to whoever says so', () => {
  expect(new Secret(VALUE).reveal()).toBe(VALUE)
  expect(new Secret(VALUE).length).toBe(VALUE.length)
})

test('can be recognised by its digest', () => {
  expect(new Secret(VALUE).sha256()).toBe(createHash('sha256').update(VALUE).digest('hex'))
})

test.each([
  [`before ${VALUE} after`, 'before [redacted] after'],
  [`"client_assertion=${VALUE}&x=y"`, '"client_assertion=[redacted]&x=y"'],
  [`opaque ${'a1'.repeat(30)}!`, 'opaque [redacted]!'],
  [
    'AADSTS700016: Application 11111111-1111-4111-8111-111111111111 was not found',
    'AADSTS700016: Application 11111111-1111-4111-8111-111111111111 was not found',
  ],
  ['cut ImtpZCI6Im5vYm9keQ.eyJpc3MiOiJodHRw… off', 'cut [redacted]… off'],
  [`cut ${'a1'.repeat(11)}.${'b2'.repeat(15)}… off`, 'cut [redacted]… off'],
])('scrubs %j', (text, expected) => {
  expect(scrub(text)).toBe(expected)
})

test('leaves nothing of a JWT, wherever it stands', () => {
  const part = fc.stringMatching(/^[\w-]{20,60}$/)
  fc.assert(
    fc.property(fc.string(), part, part, part, (before, head, payload, signature) => {
      const scrubbed = scrub(`${before} eyJ${head}.${payload}.${signature} end`)
      for (const secret of [head, payload, signature]) expect(scrubbed).not.toContain(secret)
      expect(scrubbed).toContain('[redacted]')
    }),
  )
})
