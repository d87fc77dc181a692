/** docs/identities.schema.json accepts exactly the files that the sidecar accepts. */
import { readFile } from 'node:fs/promises'
import { Ajv2020 } from 'ajv/dist/2020.js'
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

const VALUES = [
  ...Object.values(whole),
  '',
  ' ',
  'a.b',
  '-a.b',
  'a-.b',
  'common',
  GUID.toLowerCase(),
  `${GUID}0`,
  `${GUID}\n`,
  'https://login.example:8443',
  'https://[::1]:8443/',
  'https://login.example/tenant',
  'https://me@login.example',
  'http://login.example',
  'login.example',
  '/',
  '/a/',
  '/a b',
  'relative/path',
  'x'.repeat(121),
  'x'.repeat(2049),
  false,
  [],
  ['https://vault.azure.net', ''],
  ['a b'],
  [-1],
  [4_294_967_295],
  null,
  {},
]

const ENTRIES = [...Object.keys(whole), 'colour'].flatMap((key) => [
  ...VALUES.map((value) => ({ ...whole, [key]: value })),
  Object.fromEntries(Object.entries(whole).filter(([name]) => name !== key)),
])

test('the schema and the sidecar agree on every value of every member', () => {
  expect(isAccepted({ identities: [whole, ENTRY] })).toBe(true)
  for (const file of [
    null,
    { identities: [] },
    { identities: [ENTRY], version: 1 },
    ...ENTRIES.map((entry) => ({ identities: [entry] })),
  ]) {
    expect([file, isValid(file)]).toEqual([file, isAccepted(file)])
  }
})
