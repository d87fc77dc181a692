import { expect, test } from 'vitest'
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
  serviceAccount,
  SUBSCRIPTION,
  TENANT,
  warning,
} from './fixtures.ts'

/** Lists what is planned, as `CLIENT_ID SUBJECT`. */
async function needs(...args: Parameters<typeof plan>) {
  const { identities, findings } = await plan(...args)
  const planned = identities.flatMap(({ clientId, credentials }) =>
    credentials.map(({ subject }) => `${clientId} ${subject}`),
  )
  return { planned, findings }
}

const subject = (account: string) => `system:serviceaccount:shop:${account}`

const identitiesFile = (text: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'identities', namespace: 'shop' },
  data: { 'identities.yaml': text },
})

const CONFIG_MAP = { ...INJECT, 'wimds.io/config-map': 'identities' }

test('needs a credential for an annotated ServiceAccount that no workload uses', async () => {
  expect(await needs([serviceAccount('orders', ORDERS.toUpperCase())])).toEqual({
    planned: [`${ORDERS} ${subject('orders')}`],
    findings: [],
  })
})

test('needs none for ServiceAccounts and workloads without an identity', async () => {
  expect(await needs([serviceAccount('orders', undefined), deployment('web', undefined)])).toEqual({
    planned: [],
    findings: [],
  })
})

test('reports a client id that is not a GUID', async () => {
  const { planned, findings } = await needs([
    serviceAccount('orders', 'orders'),
    deployment('orders', 'orders', { annotations: INJECT }),
  ])
  expect(planned).toEqual([])
  expect(findings).toMatchObject([error('ServiceAccount shop/orders', '"orders"')])
})

test.each([
  ['the annotation of wimds', { annotations: INJECT }],
  [
    'the proxy of azure-workload-identity',
    { annotations: { 'azure.workload.identity/inject-proxy-sidecar': 'true' } },
  ],
  ['the label of azure-workload-identity', { labels: { 'azure.workload.identity/use': 'true' } }],
])('reports a workload with %s whose ServiceAccount names no identity', async (_, template) => {
  const { findings } = await needs([
    serviceAccount('orders', undefined),
    deployment('orders', 'orders', template),
  ])
  expect(findings).toMatchObject([
    error('Deployment shop/orders', 'ServiceAccount shop/orders names none'),
  ])
})

test('reports a workload whose ServiceAccount is not in the input', async () => {
  const { findings } = await needs([deployment('orders', undefined, { annotations: INJECT })])
  expect(findings).toMatchObject([
    {
      severity: 'error',
      problem: expect.stringContaining('ServiceAccount shop/default, which is not in the input'),
    },
  ])
})

test('gives injected workloads without an identity the default one', async () => {
  const objects = [
    serviceAccount('default', undefined),
    serviceAccount('orders', ORDERS),
    deployment('web', undefined, { annotations: INJECT }),
    deployment('orders', 'orders', { annotations: INJECT }),
    deployment('other', undefined),
    deployment('out', undefined, { annotations: { 'wimds.io/inject': 'false' } }),
  ]
  expect(await needs(objects, { clientId: BILLING })).toEqual({
    planned: [`${ORDERS} ${subject('orders')}`, `${BILLING} ${subject('default')}`],
    findings: [],
  })
})

test('gives pods of a labelled namespace the default identity', async () => {
  const namespace = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop', labels: { 'wimds.io/inject': 'true' } },
  }
  const objects = [
    namespace,
    serviceAccount('default', undefined),
    serviceAccount('out', undefined),
    deployment('web', undefined),
    deployment('out', 'out', { annotations: { 'wimds.io/inject': 'false' } }),
  ]
  expect((await needs(objects, { clientId: BILLING })).planned).toEqual([
    `${BILLING} ${subject('default')}`,
  ])
  expect((await needs(objects)).findings).toMatchObject([{ object: 'Deployment shop/web' }])
})

test('needs a credential for each entry of an identities file', async () => {
  const file = `identities:
  - name: orders
    clientId: ${ORDERS}
    resourceId: /subscriptions/${SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.ManagedIdentity/userAssignedIdentities/orders
    default: true
  - clientId: ${BILLING}
    authorityHost: https://login.microsoftonline.us
    tokenFile: /var/run/secrets/gov/token
`
  const spec = {
    containers: [
      { name: 'app', volumeMounts: [{ name: 'gov', mountPath: '/var/run/secrets/gov/' }] },
    ],
    volumes: [
      {
        name: 'gov',
        projected: {
          sources: [
            { serviceAccountToken: { path: 'token', audience: 'api://AzureADTokenExchangeUSGov' } },
          ],
        },
      },
    ],
  }
  const { identities, findings } = await plan([
    identitiesFile(file),
    deployment('orders', 'orders', { annotations: CONFIG_MAP, spec }),
  ])
  expect(findings).toEqual([])
  expect(identities).toMatchObject([
    { clientId: ORDERS, id: ORDERS_ID, credentials: [{ audience: AUDIENCE }] },
    { clientId: BILLING, credentials: [{ audience: 'api://AzureADTokenExchangeUSGov' }] },
  ])
})

test('reports an identities file that is missing or malformed', async () => {
  const workload = deployment('orders', 'orders', { annotations: CONFIG_MAP })
  expect((await needs([workload])).findings).toMatchObject([
    { severity: 'error', problem: expect.stringContaining('ConfigMap shop/identities') },
  ])
  expect(
    (await needs([workload, identitiesFile('identities: [{clientId: x}]')])).findings,
  ).toMatchObject([
    error('ConfigMap shop/identities', 'identities.yaml:1:25: identities[0].clientId'),
  ])
})

const CHAIN = (objectId: string) => `identities:
  - name: orders
    clientId: ${ORDERS}
    tenantId: ${TENANT}
    ${objectId}
  - clientId: ${BILLING}
    assertionFrom: orders
`
const OBJECT_ID = '33333333-3333-4333-8333-333333333333'

test.each([
  ['the identities file', `objectId: ${OBJECT_ID}`, []],
  [
    'the list of identities',
    '',
    [{ clientId: ORDERS, kind: 'managed-identity' as const, principalId: OBJECT_ID }],
  ],
])(
  'makes an application accept the tokens of a managed identity, by %s',
  async (_, line, known) => {
    const { identities } = await plan(
      [identitiesFile(CHAIN(line)), deployment('orders', 'orders', { annotations: CONFIG_MAP })],
      {},
      { known },
    )
    expect(identities).toMatchObject([
      { clientId: ORDERS, credentials: [{ issuer: ISSUER, subject: subject('orders') }] },
      {
        clientId: BILLING,
        kind: 'application',
        credentials: [
          {
            issuer: `https://login.microsoftonline.com/${TENANT}/v2.0`,
            subject: OBJECT_ID,
            audience: AUDIENCE,
          },
        ],
      },
    ])
  },
)

test('finds the tenant of a chained identity by a ServiceAccount, whose client id may end with a blank', async () => {
  const file = CHAIN(`objectId: ${OBJECT_ID}`).replace(/ +tenantId: .*\n/, '')
  const objects = [
    identitiesFile(file),
    serviceAccount('evil', ORDERS, { 'azure.workload.identity/tenant-id': BILLING }, 'evil'),
    serviceAccount('other', `${ORDERS} `, { 'azure.workload.identity/tenant-id': TENANT }),
    deployment('orders', 'orders', { annotations: CONFIG_MAP }),
  ]
  const { identities } = await plan(objects, { allowed: new Map([[ORDERS, ['shop']]]) })
  const issuers = identities.flatMap(({ credentials }) => credentials.map(({ issuer }) => issuer))
  expect(issuers).toContain(`https://login.microsoftonline.com/${TENANT}/v2.0`)
})

test('reports a chained identity whose subject is not known', async () => {
  const { planned, findings } = await needs([
    identitiesFile(CHAIN('')),
    deployment('orders', 'orders', { annotations: CONFIG_MAP }),
  ])
  expect(planned).toEqual([`${ORDERS} ${subject('orders')}`])
  expect(findings).toMatchObject([
    { severity: 'error', problem: expect.stringContaining('object id of orders') },
  ])
})

test('reads the identity of a pod that is injected already', async () => {
  const token = { name: 'AZURE_FEDERATED_TOKEN_FILE', value: '/var/run/secrets/wimds/token' }
  const spec = {
    initContainers: [{ name: 'wimds', env: [token, { name: 'AZURE_CLIENT_ID', value: ORDERS }] }],
  }
  const annotations = { 'wimds.io/injected': '{"mode":"env"}' }
  expect(await needs([deployment('orders', 'orders', { annotations, spec })])).toEqual({
    planned: [`${ORDERS} ${subject('orders')}`],
    findings: [],
  })
})

const BINDING = { ...INJECT, 'azure.workload.identity/use-identity-binding': 'true' }

test('needs no credential for a ServiceAccount whose pods use an identity binding', async () => {
  const { planned, findings } = await needs([
    serviceAccount('orders', ORDERS),
    deployment('orders', 'orders', { annotations: BINDING }),
  ])
  expect(planned).toEqual([])
  expect(findings).toMatchObject([warning('ServiceAccount shop/orders', 'identity binding')])
})

test('needs one if another of its workloads does not', async () => {
  const { planned } = await needs([
    serviceAccount('orders', ORDERS),
    deployment('bound', 'orders', { annotations: BINDING }),
    deployment('direct', 'orders', { annotations: INJECT }),
  ])
  expect(planned).toEqual([`${ORDERS} ${subject('orders')}`])
})

test('tells a direct exchange in a bound pod by the audience, or by exchangeVia', async () => {
  const file = `identities:
  - clientId: ${ORDERS}
    default: true
  - clientId: ${BILLING}
    exchangeVia: entra
`
  const { planned } = await needs([
    identitiesFile(file),
    deployment('orders', 'orders', { annotations: { ...BINDING, ...CONFIG_MAP } }),
  ])
  expect(planned).toEqual([`${BILLING} ${subject('orders')}`])
})

test.each([
  ['a file that the Azure CLI would upload', '@/etc/passwd'],
  ['an escape sequence of a terminal', '\u001B[2J'],
])('rejects an audience that is %s', async (_, audience) => {
  const spec = {
    containers: [{ name: 'app', volumeMounts: [{ name: 'azure', mountPath: '/azure' }] }],
    volumes: [
      {
        name: 'azure',
        projected: { sources: [{ serviceAccountToken: { path: 'token', audience } }] },
      },
    ],
  }
  const file = `identities:
  - clientId: ${ORDERS}
    tokenFile: /azure/token
`
  const { planned, findings } = await needs([
    identitiesFile(file),
    deployment('orders', 'orders', { annotations: CONFIG_MAP, spec }),
  ])
  expect(planned).toEqual([])
  expect(findings).toMatchObject([
    error('Deployment shop/orders', `has the audience ${JSON.stringify(audience)}`),
  ])
})

test.each(['x=@/etc', 'contoso.onmicrosoft.com'])(
  'rejects the tenant %s, which the issuer of its tokens cannot have',
  async (tenant) => {
    const file = CHAIN(`objectId: ${OBJECT_ID}`).replace(/ +tenantId: .*\n/, '')
    const { planned, findings } = await needs([
      identitiesFile(file),
      serviceAccount('other', ORDERS, { 'azure.workload.identity/tenant-id': tenant }),
      deployment('orders', 'orders', { annotations: CONFIG_MAP }),
    ])
    expect(planned.join('\n')).not.toContain(BILLING)
    expect(findings).toMatchObject([
      {
        severity: 'error',
        problem: `the tenant of orders, whose token ${BILLING} accepts, must be a GUID, not ${JSON.stringify(tenant)}`,
        fix: 'set tenantId in the identities file, or pass --identities',
      },
    ])
  },
)

test('takes the tenant of a chained identity from the list of identities if the file has its domain', async () => {
  const listed = { clientId: ORDERS, kind: 'managed-identity' as const, tenantId: TENANT }
  const { identities } = await plan(
    [
      identitiesFile(CHAIN(`objectId: ${OBJECT_ID}`).replace(TENANT, 'contoso.onmicrosoft.com')),
      deployment('orders', 'orders', { annotations: CONFIG_MAP }),
    ],
    {},
    { known: [listed] },
  )
  const issuers = identities.flatMap(({ credentials }) => credentials.map(({ issuer }) => issuer))
  expect(issuers).toContain(`https://login.microsoftonline.com/${TENANT}/v2.0`)
})

test('rejects a serviceAccountName that could break out of the output', async () => {
  const { planned, findings } = await needs([
    deployment('orders', "x'; rm -rf ~", { annotations: INJECT }),
  ])
  expect(planned).toEqual([])
  expect(findings).toMatchObject([
    { severity: 'error', problem: expect.stringContaining('not a valid name') },
  ])
})
