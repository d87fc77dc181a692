import { expect, test } from 'vitest'
import type { ExistingCredential } from '../../../src/tools/trust/inventory.ts'
import { formatManagedIdentityId } from '../../../src/tools/managed-identity.ts'
import {
  AUDIENCE,
  BILLING,
  deployment,
  error,
  existingFor,
  identitiesFile,
  INJECT,
  ISSUER,
  ORDERS,
  ORDERS_ID,
  plan,
  projectedToken,
  serviceAccount,
  warning,
} from './fixtures.ts'

const SUBJECT = 'system:serviceaccount:shop:orders'
const OBJECTS = [
  serviceAccount('orders', ORDERS),
  deployment('orders', 'orders', { annotations: INJECT }),
]

/** Plans the objects with these credentials of the identity. */
const compareWith = (...credentials: readonly ExistingCredential[]) =>
  plan(OBJECTS, {}, { existing: new Map([[ORDERS, credentials]]) })

test.each<[string, readonly ExistingCredential[], object]>([
  [
    'is missing, with those of other clusters counted',
    [existingFor(SUBJECT, { issuer: 'https://other.example/' })],
    { credentials: [{ state: 'missing' }], count: 2, extra: [] },
  ],
  ...[
    { audiences: ['api://AzureADTokenExchangeUSGov'] },
    { audiences: [AUDIENCE, 'other'] },
    { issuer: ISSUER.slice(0, -1) },
  ].map((difference): [string, readonly ExistingCredential[], object] => {
    const found = existingFor(SUBJECT, { name: 'by-hand', ...difference })
    const different = { state: 'different', name: 'by-hand', issuer: ISSUER, existing: found }
    return [`has ${JSON.stringify(difference)}`, [found], { credentials: [different], count: 1 }]
  }),
  [
    'is present; one with an expression in place of a subject is not extra',
    [existingFor(SUBJECT), existingFor('', { name: 'flexible' })],
    { credentials: [{ state: 'present' }], count: 2, extra: [] },
  ],
])('compares with what exists: a credential %s', async (_, existing, expected) => {
  const { identities, findings } = await compareWith(...existing)
  expect({ identities, findings }).toMatchObject({ identities: [expected], findings: [] })
})

test('reports more than 20 credentials, with those of other clusters and extra ones counted', async () => {
  const accounts = Array.from({ length: 20 }, (_, index) => serviceAccount(`a-${index}`, ORDERS))
  expect((await plan(accounts)).findings).toEqual([])
  const others = Array.from({ length: 19 }, (_, index) =>
    existingFor(SUBJECT, { issuer: `https://cluster-${index}.example/` }),
  )
  const old = existingFor('system:serviceaccount:shop:old')
  const { identities, findings } = await compareWith(old, ...others)
  expect(identities).toMatchObject([{ count: 21, isOverLimit: true, extra: [old] }])
  expect(findings).toMatchObject([error(ORDERS, '21 federated credentials, 1 of them extra')])
})

test('plans a ServiceAccount that the input has twice, such as in a base and an overlay', async () => {
  const twice = await plan([...OBJECTS, serviceAccount('orders', undefined), ...OBJECTS])
  expect(twice).toMatchObject({ findings: [], identities: [{ count: 1 }] })
})

const attacker = (name = 'attacker') => serviceAccount(name, ORDERS, 'evil')

test('plans and counts credentials only for the ServiceAccounts of allowed namespaces', async () => {
  const claims = Array.from({ length: 20 }, (_, index) => attacker(`attacker-${index}`))
  const allowed = new Map([[ORDERS, ['shop', 'billing']]])
  const { findings, identities } = await plan([attacker(), ...claims, ...OBJECTS], { allowed })
  expect(identities).toMatchObject([{ count: 1, credentials: [{ subject: SUBJECT }] }])
  expect(findings).toMatchObject([warning(ORDERS, 'evil (ServiceAccount evil/attacker)')])
  expect(await plan([attacker()], { allowed })).toMatchObject({
    identities: [],
    findings: [{ severity: 'warning', object: ORDERS }],
  })
})

test('takes only client ids from manifests: a resource id there may belong to another identity', async () => {
  const resourceId = formatManagedIdentityId(ORDERS_ID)
  const { identities } = await plan([
    identitiesFile(`[{clientId: ${ORDERS}, resourceId: ${resourceId}}]`),
    deployment('web', undefined, {
      annotations: { ...INJECT, 'wimds.io/config-map': 'identities' },
    }),
  ])
  expect(identities).toMatchObject([{ clientId: ORDERS }])
  expect(identities[0]).not.toHaveProperty('id')
})

test('warns of a client id that the list of identities lacks', async () => {
  const known = [{ clientId: BILLING, kind: 'application' as const }]
  const { findings, identities } = await plan(OBJECTS, {}, { known })
  expect(identities).toMatchObject([{ kind: 'managed-identity' }])
  expect(findings).toMatchObject([warning(ORDERS, 'is assumed to be a managed identity')])
})

const projecting = (name: string, audience: string) =>
  deployment(name, 'orders', {
    annotations: INJECT,
    spec: projectedToken('/var/run/secrets/x', audience, [
      { name: 'AZURE_FEDERATED_TOKEN_FILE', value: '/var/run/secrets/x/token' },
    ]),
  })

test('refuses two audiences for one subject of an identity', async () => {
  const { findings, identities } = await plan([
    serviceAccount('orders', ORDERS),
    projecting('one', 'api://one'),
    projecting('two', 'api://two'),
  ])
  expect(identities[0]?.credentials).toMatchObject([{ audience: 'api://one' }])
  expect(findings).toMatchObject([error('Deployment shop/two', 'api://two')])
})

test('orders identities and credentials independently of the order of the input', async () => {
  const objects = [
    serviceAccount('b', BILLING),
    serviceAccount('a', BILLING),
    serviceAccount('c', ORDERS),
  ]
  const forwards = await plan(objects)
  expect(await plan(objects.toReversed())).toEqual(forwards)
  expect(forwards.identities.map(({ clientId }) => clientId)).toEqual([ORDERS, BILLING])
})
