import { expect, test } from 'vitest'
import {
  AUDIENCE,
  BILLING,
  deployment,
  error,
  INJECT,
  ORDERS,
  ORDERS_ID,
  plan,
  projectedToken,
  serviceAccount,
  SUBSCRIPTION,
  warning,
} from './fixtures.ts'

/** Lists the planned credentials, as `CLIENT_ID SUBJECT`. */
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

test('reports a client id that is not a GUID', async () => {
  const { planned, findings } = await needs([
    serviceAccount('orders', 'Orders'),
    deployment('orders', 'orders', { annotations: INJECT }),
  ])
  expect(planned).toEqual([])
  expect(findings).toMatchObject([
    error(
      'ServiceAccount shop/orders',
      'azure.workload.identity/client-id in cluster.yaml must be a GUID, not "Orders"',
    ),
  ])
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
  const spec = projectedToken('/var/run/secrets/gov/', 'api://AzureADTokenExchangeUSGov')
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
  const { findings } = await needs([workload, identitiesFile('identities: [{clientId: x}]')])
  expect(findings).toMatchObject([
    error('ConfigMap shop/identities', 'identities.yaml:1:25: identities[0].clientId'),
  ])
})

const NOT_A_GUID = 'AZURE_CLIENT_ID in cluster.yaml, document 2 must be a GUID, not "${CLIENT_ID}"'

test.each([
  ['reports', '${CLIENT_ID}', [error('Deployment shop/orders', NOT_A_GUID)]],
  // Kubernetes expands it.
  ['leaves out', '$(CLIENT_ID)', []],
])('%s the client id %s of a container', async (_, value, expected) => {
  const env = [
    { name: 'AZURE_FEDERATED_TOKEN_FILE', value: '/token' },
    { name: 'AZURE_CLIENT_ID', value },
  ]
  const { findings } = await needs([
    serviceAccount('orders', ORDERS),
    deployment('orders', 'orders', { spec: { containers: [{ name: 'app', env }] } }),
  ])
  expect(findings).toMatchObject(expected)
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
  - {clientId: ${ORDERS}, default: true}
  - {clientId: ${BILLING}, exchangeVia: entra}
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
  const spec = projectedToken('/azure', audience)
  const file = `identities: [{clientId: ${ORDERS}, tokenFile: /azure/token}]`
  const { planned, findings } = await needs([
    identitiesFile(file),
    deployment('orders', 'orders', { annotations: CONFIG_MAP, spec }),
  ])
  expect(planned).toEqual([])
  expect(findings).toMatchObject([
    error('Deployment shop/orders', `has the audience ${JSON.stringify(audience)}`),
  ])
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
