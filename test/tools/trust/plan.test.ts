import { describe, expect, test } from 'vitest'
import type { ExistingCredential } from '../../../src/tools/trust/inventory.ts'
import { formatManagedIdentityId } from '../../../src/tools/managed-identity.ts'
import {
  AUDIENCE,
  BILLING,
  deployment,
  error,
  INJECT,
  ISSUER,
  ORDERS,
  ORDERS_ID,
  plan,
  projectedToken,
  serviceAccount,
  TENANT,
  warning,
} from './fixtures.ts'

const SUBJECT = 'system:serviceaccount:shop:orders'
const OBJECTS = [
  serviceAccount('orders', ORDERS),
  deployment('orders', 'orders', { annotations: INJECT }),
]

const existing = (overrides: Partial<ExistingCredential> = {}): ExistingCredential => ({
  name: 'by-hand',
  issuer: ISSUER,
  subject: SUBJECT,
  audiences: [AUDIENCE],
  ...overrides,
})

/** Plans the objects with these lists of what exists. */
const planWith = (inventory: Parameters<typeof plan>[2], objects: readonly object[] = OBJECTS) =>
  plan(objects, {}, inventory)

const compareWith = (...credentials: readonly ExistingCredential[]) =>
  planWith({ existing: new Map([[ORDERS, credentials]]) })

test('reports a missing one, and counts those that exist', async () => {
  const { identities } = await compareWith(existing({ issuer: 'https://other.example/' }))
  expect(identities[0]).toMatchObject({ credentials: [{ state: 'missing' }], count: 2, extra: [] })
})

test.each([
  ['another audience', { audiences: ['api://AzureADTokenExchangeUSGov'] }],
  ['two audiences', { audiences: [AUDIENCE, 'other'] }],
  ['an issuer without the slash at its end', { issuer: ISSUER.slice(0, -1) }],
])('reports a credential with %s as different, under its own name', async (_, difference) => {
  const found = existing(difference)
  const { identities } = await compareWith(found)
  expect(identities[0]).toMatchObject({
    credentials: [{ state: 'different', name: 'by-hand', issuer: ISSUER, existing: found }],
    count: 1,
  })
})

const accounts = (count: number) =>
  Array.from({ length: count }, (_, index) => serviceAccount(`account-${index}`, ORDERS))

test('recommends identity bindings from 21 credentials on, with credentials of other clusters counted', async () => {
  expect((await plan(accounts(20))).findings).toEqual([])
  const others = Array.from({ length: 20 }, (_, index) =>
    existing({ name: `cluster-${index}`, issuer: `https://cluster-${index}.example/` }),
  )
  const { identities, findings } = await compareWith(...others)
  expect(identities[0]).toMatchObject({ count: 21, isOverLimit: true })
  expect(findings).toMatchObject([
    {
      severity: 'error',
      object: ORDERS,
      problem: expect.stringContaining('would have 21'),
      fix: expect.stringContaining('use an identity binding'),
    },
  ])
})

const subjectOf = (account: string, namespace = 'shop') =>
  `system:serviceaccount:${namespace}:${account}`

const forSubject = (subject: string) => existing({ name: subject.replaceAll(':', '-'), subject })

test('says how many extra ones would make room, and that alone if it is enough', async () => {
  const old = Array.from({ length: 5 }, (_, index) => forSubject(subjectOf(`old-${index}`)))
  const lists = { existing: new Map([[ORDERS, old]]) }
  const { identities, findings } = await planWith(lists, accounts(18))
  expect(identities[0]).toMatchObject({ count: 23, isOverLimit: true })
  expect(findings).toMatchObject([
    {
      ...error(ORDERS, 'would have 23 federated credentials, 5 of them extra, but Azure allows 20'),
      fix: expect.stringMatching(/^delete extra ones [^;]*$/),
    },
  ])
  const more = await planWith(lists, accounts(21))
  expect(more.findings[0]?.fix).toMatch(/^delete extra ones .*; .*identity binding/)
})

const claiming = (name: string, clientId: string) =>
  deployment(name, name, {
    annotations: INJECT,
    spec: projectedToken('/x', AUDIENCE, [
      { name: 'AZURE_FEDERATED_TOKEN_FILE', value: '/x/token' },
      { name: 'AZURE_CLIENT_ID', value: clientId },
    ]),
  })

describe('calls no credential extra', () => {
  const configured = deployment('web', 'web', {
    annotations: { ...INJECT, 'wimds.io/config-map': 'identities' },
  })
  const clientId = {
    name: 'AZURE_CLIENT_ID',
    valueFrom: { configMapKeyRef: { name: 'azure', key: 'id' } },
  }
  const elsewhere = deployment('web', 'web', {
    spec: { containers: [{ name: 'app', env: [clientId] }] },
  })
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'identities', namespace: 'shop' },
    data: { 'identities.yaml': 'identities: [{clientId: x}]' },
  }
  const broken = deployment('web', 'web', { annotations: INJECT, spec: { containers: 'none' } })
  const unknown = { ...deployment('web', 'web'), apiVersion: 'ray.io/v1', kind: 'RayCluster' }
  const nameless = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'web' } }
  const OF_SUBJECT = ['web']
  const OF_NAMESPACE = ['other', 'web']

  test.each<[string, readonly object[], readonly string[]]>([
    ['a malformed client id', [serviceAccount('web', 'oops')], OF_SUBJECT],
    ['no ServiceAccount', [deployment('web', 'web', { annotations: INJECT })], OF_SUBJECT],
    ['a malformed variable', [serviceAccount('web', undefined), claiming('web', 'x')], OF_SUBJECT],
    ['a client id in a ConfigMap', [serviceAccount('web', BILLING), elsewhere], OF_SUBJECT],
    ['no identities file', [serviceAccount('web', undefined), configured], OF_SUBJECT],
    ['a malformed identities file', [configMap], OF_NAMESPACE],
    ['a malformed pod', [broken], OF_NAMESPACE],
    ['a kind that is not known', [unknown], OF_NAMESPACE],
    ['no namespace', [nameless], [...OF_NAMESPACE, 'far']],
    [
      'several identities',
      [serviceAccount('web', BILLING), serviceAccount('web', TENANT)],
      OF_SUBJECT,
    ],
    [
      'claims of several namespaces',
      [serviceAccount('web', BILLING), serviceAccount('web', BILLING, {}, 'away')],
      [...OF_NAMESPACE, 'far'],
    ],
    [
      'one resource id with several client ids',
      [...claimId(BILLING, 'away'), ...claimId(TENANT, 'off')],
      ['far'],
    ],
  ])('that an object may need which was left out for %s', async (_, objects, kept) => {
    const all = [subjectOf('other'), subjectOf('web'), subjectOf('far', 'away')]
    const list = [existing(), ...all.map(forSubject)]
    const inventory = { existing: new Map([[ORDERS, list]]) }
    const { identities, findings } = await planWith(inventory, [...OBJECTS, ...objects])
    const extra = identities[0]?.extra.map(({ subject }) => subject)
    expect(extra).toEqual(all.filter((each) => !kept.some((name) => each.endsWith(`:${name}`))))
    const keeps = all.filter((each) => !extra?.includes(each)).join(', ')
    expect(findings.at(-1)).toMatchObject(warning(ORDERS, `credentials for ${keeps} are not`))
  })

  test('that has an expression in place of a subject', async () => {
    const { identities } = await compareWith(
      existing(),
      existing({ name: 'flexible', subject: '' }),
    )
    expect(identities[0]?.extra).toEqual([])
  })
})

test('reports a ServiceAccount of two environments, and plans neither', async () => {
  const prod = serviceAccount('orders', BILLING)
  const { identities, findings } = await plan([...OBJECTS, prod, serviceAccount('web', ORDERS)])
  expect(identities.map(({ credentials }) => credentials.map(({ subject }) => subject))).toEqual([
    [subjectOf('web')],
  ])
  const problem = `names several identities: ${ORDERS} in cluster.yaml, ${BILLING} in cluster.yaml, document 3`
  expect(findings).toMatchObject([error('ServiceAccount shop/orders', problem)])
  const same = await plan([...OBJECTS, serviceAccount('orders', undefined), ...OBJECTS])
  expect(same).toMatchObject({ findings: [], identities: [{ count: 1 }] })
})

const attacker = (name = 'attacker') => serviceAccount(name, ORDERS, {}, 'evil')
const CLAIM = `evil (ServiceAccount evil/attacker)`

test('plans the claims of allowed namespaces, and counts no other', async () => {
  const claims = Array.from({ length: 20 }, (_, index) => attacker(`attacker-${index}`))
  const allowed = new Map([[ORDERS, ['shop', 'billing']]])
  const { findings, identities } = await plan([attacker(), ...claims, ...OBJECTS], { allowed })
  expect(identities).toMatchObject([{ count: 1, credentials: [{ subject: SUBJECT }] }])
  expect(findings).toMatchObject([{ object: ORDERS, problem: expect.stringContaining(CLAIM) }])
})

test('lets a namespace that is not allowed choose no identity in Azure', async () => {
  const { identities } = await plan([...claimId(ORDERS, 'evil'), ...OBJECTS], {
    allowed: new Map([[ORDERS, ['shop']]]),
  })
  expect(identities).toMatchObject([{ clientId: ORDERS, credentials: [{ subject: SUBJECT }] }])
  expect(identities[0]).not.toHaveProperty('id')
})

test('plans nothing for a namespace that is not allowed, also if no other claims the identity', async () => {
  const { findings, identities } = await plan([attacker()], {
    allowed: new Map([[ORDERS, ['shop']]]),
  })
  expect(identities).toEqual([])
  expect(findings).toMatchObject([{ severity: 'warning', object: ORDERS }])
})

const claimId = (clientId: string, namespace: string) => [
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'identities', namespace },
    data: {
      'identities.yaml': `identities: [{clientId: ${clientId}, resourceId: ${formatManagedIdentityId(ORDERS_ID)}}]`,
    },
  },
  {
    ...deployment('app', undefined, {
      annotations: { ...INJECT, 'wimds.io/config-map': 'identities' },
    }),
    metadata: { name: 'app', namespace },
  },
]

test('refuses a resource id that has another client id', async () => {
  const objects = [...claimId(ORDERS, 'shop'), ...claimId(BILLING, 'evil')]
  const { findings, identities } = await plan(objects)
  expect(identities).toEqual([])
  expect(findings).toMatchObject([ORDERS, BILLING].map((object) => ({ severity: 'error', object })))
  const known = [{ clientId: ORDERS, kind: 'managed-identity' as const, id: ORDERS_ID }]
  expect((await planWith({ known }, objects)).identities).toMatchObject([{ clientId: ORDERS }])
})

test('recommends no identity binding for an application', async () => {
  const known = [{ clientId: ORDERS, kind: 'application' as const }]
  const { findings } = await planWith({ known }, accounts(21))
  expect(findings[0]?.fix).toContain('bindings are for managed identities only')
})

test('warns of a client id that the list of identities lacks', async () => {
  const known = [{ clientId: BILLING, kind: 'application' as const }]
  const { findings, identities } = await planWith({ known })
  expect(identities[0]?.kind).toBe('managed-identity')
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

test('orders identities and credentials, whatever the order of the input is', async () => {
  const objects = [
    serviceAccount('b', BILLING),
    serviceAccount('a', BILLING),
    serviceAccount('c', ORDERS),
  ]
  const forwards = await plan(objects)
  const backwards = await plan(objects.toReversed())
  expect(backwards).toEqual(forwards)
  expect(forwards.identities.map(({ clientId }) => clientId)).toEqual([ORDERS, BILLING])
})
