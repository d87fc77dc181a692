/** docs/identities.schema.json accepts exactly the files that the sidecar accepts; reading ends after enough problems. */
import { readFile } from 'node:fs/promises'
import { Ajv2020 } from 'ajv/dist/2020.js'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { IdentitiesSchema } from '../../../src/broker/config/identities-file.ts'

const schema: object = JSON.parse(
  await readFile(new URL('../../../docs/identities.schema.json', import.meta.url), 'utf8'),
)
const isValid = new Ajv2020({ strict: true, allowMatchingProperties: true }).compile(schema)
const isAccepted = (file: unknown) => IdentitiesSchema.safeParse(file).success

const GUID = '11111111-1111-4111-8111-AAAAAAAAAAAA'
const ENTRY = { clientId: GUID }
const whole = {
  name: 'orders 1',
  clientId: GUID,
  tenantId: 'contoso.onmicrosoft.com',
  objectId: GUID,
  resourceId: '/subscriptions/s/resourcegroups/r/providers/P/userAssignedIdentities/orders',
  authorityHost: 'https://login.microsoftonline.us/',
  tokenFile: '/var/run/secrets/token',
  exchangeVia: 'token-proxy',
  resources: ['https://vault.azure.net', GUID],
  prefetch: [],
  default: true,
}

test.each<[string, unknown, boolean]>([
  ['one identity', { identities: [ENTRY] }, true],
  ['a whole identity', { identities: [whole, ENTRY] }, true],
  ['nothing', undefined, false],
  ['null', null, false],
  ['a list', [ENTRY], false],
  ['no identities', { identities: [] }, false],
  ['identities that are not a list', { identities: ENTRY }, false],
  ['another member', { identities: [ENTRY], version: 1 }, false],
  ['an identity without a client id', { identities: [{ name: 'x' }] }, false],
  ['an identity that is text', { identities: [GUID] }, false],
  ['an unknown exchangeVia', { identities: [{ ...ENTRY, exchangeVia: 'proxy' }] }, false],
  ['an unknown member', { identities: [{ ...ENTRY, colour: 'red' }] }, false],
  ['an empty allow-list', { identities: [{ ...ENTRY, resources: [] }] }, false],
  ['a null value', { identities: [{ ...ENTRY, tenantId: null }] }, false],
])('the schema and the sidecar agree on %s', (_, file, expected) => {
  expect({ schema: isValid(file), sidecar: isAccepted(file) }).toEqual({
    schema: expected,
    sidecar: expected,
  })
})

const VALUES = [
  ...Object.values(whole),
  '',
  ' ',
  'a',
  'a.b',
  '-a.b',
  'a-.b',
  'common',
  'organizations',
  GUID.toLowerCase(),
  `${GUID}0`,
  `{${GUID}}`,
  `${GUID}\n`,
  'https://login.example:8443',
  'https://[::1]:8443/',
  'https://login.example/tenant',
  'https://login.example?x',
  'https://me@login.example',
  'http://login.example',
  'login.example',
  '/',
  '//',
  '/a/',
  '/a/b',
  '/a b',
  'relative/path',
  'x'.repeat(121),
  'x'.repeat(2049),
  0,
  false,
  [],
  ['https://vault.azure.net', ''],
  ['a b'],
  [1],
  [-1],
  [1.5],
  [4_294_967_294],
  [4_294_967_295],
  {},
]

test('the schema and the sidecar agree on every value of every member', () => {
  for (const key of Object.keys(whole)) {
    for (const value of VALUES) {
      const file = { identities: [{ ...whole, [key]: value }] }
      expect([key, value, isValid(file)]).toEqual([key, value, isAccepted(file)])
    }
  }
})

test('the schema and the sidecar agree on random files', () => {
  const value = fc.oneof(fc.constantFrom(...VALUES), fc.string(), fc.boolean())
  const entry = fc.dictionary(fc.constantFrom(...Object.keys(whole), 'other'), value)
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), entry), { maxLength: 3 }), (entries) => {
      const identities = entries.map(([isWhole, other]) =>
        isWhole ? { ...whole, ...other } : other,
      )
      expect(isValid({ identities })).toBe(isAccepted({ identities }))
    }),
    { numRuns: 1000 },
  )
})
