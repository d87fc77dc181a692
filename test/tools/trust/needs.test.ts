import { expect, test } from 'vitest'
import type { TrustOptions } from '../../../src/tools/trust/needs.ts'
import {
  AUDIENCE,
  BILLING,
  deployment,
  error,
  existingFor,
  identitiesFile,
  INJECT,
  OPTED_OUT,
  ORDERS,
  plan,
  projectedToken,
  serviceAccount,
  TENANT,
  warning,
} from './fixtures.ts'

const CONFIG_MAP = { ...INJECT, 'wimds.io/config-map': 'identities' }
const BINDING = { ...INJECT, 'azure.workload.identity/use-identity-binding': 'true' }
const INJECTED = { annotations: INJECT }
const CONFIGURED = { annotations: CONFIG_MAP }

const NAMESPACE = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'shop', labels: { 'wimds.io/inject': 'true' } },
}

const UNLABELLED = { ...NAMESPACE, metadata: { name: 'shop' } }

/** A container with a projected token, and with this client id if it is given. */
const container = (name: string, clientId?: object) => ({
  name,
  env: [
    { name: 'AZURE_FEDERATED_TOKEN_FILE', value: '/token' },
    ...(clientId === undefined ? [] : [{ name: 'AZURE_CLIENT_ID', ...clientId }]),
  ],
})
const withClientId = (clientId: object) =>
  deployment('orders', 'orders', { spec: { containers: [container('app', clientId)] } })

/** An old ReplicaSet, with a ServiceAccount that its Deployment no longer uses. */
const OLD_REPLICAS = {
  ...deployment('web-5d9', 'former', INJECTED),
  kind: 'ReplicaSet',
  metadata: {
    name: 'web-5d9',
    namespace: 'shop',
    ownerReferences: [{ kind: 'Deployment', name: 'web', controller: true }],
  },
}

const GOV = 'api://AzureADTokenExchangeUSGov'
const GOV_ENTRY = `authorityHost: https://login.microsoftonline.us, tokenFile: /gov/token`

test.each<[string, readonly object[], readonly string[], Partial<TrustOptions>?]>([
  [
    'an annotated ServiceAccount that no workload uses',
    [serviceAccount('orders', ORDERS.toUpperCase())],
    [`${ORDERS} orders`],
  ],
  [
    'an annotated ServiceAccount whose workload does not request injection',
    [serviceAccount('orders', ORDERS), deployment('orders', 'orders')],
    [`${ORDERS} orders`],
  ],
  [
    'each injected workload without an identity: the default one',
    [
      serviceAccount('default', undefined),
      serviceAccount('orders', ORDERS),
      deployment('web', undefined, INJECTED),
      OLD_REPLICAS,
      deployment('orders', 'orders', INJECTED),
      deployment('out', 'out', OPTED_OUT),
    ],
    [`${ORDERS} orders`, `${BILLING} default`],
    { clientId: BILLING },
  ],
  [
    'each workload of a namespace with the label in one of its manifests',
    [
      NAMESPACE,
      UNLABELLED,
      serviceAccount('default', undefined),
      deployment('web', undefined),
      deployment('out', 'out', OPTED_OUT),
    ],
    [`${BILLING} default`],
    { clientId: BILLING },
  ],
  [
    'each entry of an identities file, with the audience of its cloud',
    [
      identitiesFile(
        `[{clientId: ${ORDERS}, default: true}, {clientId: ${BILLING}, ${GOV_ENTRY}}]`,
      ),
      deployment('orders', 'orders', { ...CONFIGURED, spec: projectedToken('/gov/', GOV) }),
    ],
    [`${ORDERS} orders`, `${BILLING} orders ${GOV}`],
  ],
  [
    'a pod that is injected already',
    [
      deployment('orders', 'orders', {
        annotations: { 'wimds.io/injected': '{"mode":"env"}' },
        spec: { initContainers: [container('wimds', { value: ORDERS })] },
      }),
    ],
    [`${ORDERS} orders`],
  ],
  [
    'a ServiceAccount of which one workload has no identity binding',
    [
      serviceAccount('orders', ORDERS),
      deployment('bound', 'orders', { annotations: BINDING }),
      deployment('direct', 'orders', INJECTED),
    ],
    [`${ORDERS} orders`],
  ],
  [
    'the entry of a bound pod that is exchanged directly',
    [
      identitiesFile(
        `[{clientId: ${ORDERS}, default: true}, {clientId: ${BILLING}, exchangeVia: entra}]`,
      ),
      deployment('orders', 'orders', { annotations: { ...BINDING, ...CONFIG_MAP } }),
    ],
    [`${BILLING} orders`],
  ],
])('needs a credential for %s', async (_, objects, planned, options) => {
  const { identities, findings } = await plan(objects, options)
  const lines = identities.flatMap(({ clientId, credentials }) =>
    credentials.map(({ subject, audience }) => {
      const account = subject.replace('system:serviceaccount:shop:', '')
      return `${clientId} ${account}${audience === AUDIENCE ? '' : ` ${audience}`}`
    }),
  )
  expect({ lines, findings }).toEqual({ lines: planned, findings: [] })
})

test('needs no credential for a ServiceAccount whose pods use an identity binding', async () => {
  const { identities, findings } = await plan([
    serviceAccount('orders', ORDERS),
    deployment('orders', 'orders', { annotations: BINDING }),
  ])
  expect(identities).toEqual([])
  expect(findings).toMatchObject([warning('ServiceAccount shop/orders', 'identity binding')])
})

const SILENT = warning('input', 'do not request injection: 1, such as Deployment shop/orders')

const stored = deployment('orders', 'orders')
const OF_CLUSTER = { ...stored, metadata: { ...stored.metadata, uid: 'd3b0' } }
const NAMESPACE_OF_CLUSTER = { ...UNLABELLED, metadata: { name: 'shop', uid: 'd3b1' } }

test.each<[string, readonly object[], readonly unknown[]]>([
  ['a manifest without a request', [deployment('orders', 'orders'), UNLABELLED], [SILENT]],
  ['no workload of a cluster without a request', [OF_CLUSTER, NAMESPACE_OF_CLUSTER], []],
  ['a workload of a cluster whose Namespace is unknown', [OF_CLUSTER], [SILENT]],
  // A manifest does not have the labels that kubectl label has set.
  ['a workload of a cluster whose Namespace is a file', [OF_CLUSTER, UNLABELLED], [SILENT]],
])('reports %s, and calls no credential of it extra', async (_, objects, found) => {
  const list = ['kept', 'orders', 'old'].map((name) =>
    existingFor(`system:serviceaccount:shop:${name}`),
  )
  const existing = new Map([[TENANT, list]])
  const planned = await plan([serviceAccount('kept', TENANT), ...objects], {}, { existing })
  const { identities, findings } = planned
  expect(identities.flatMap(({ extra }) => extra)).toEqual(list.slice(2))
  expect(findings).toMatchObject([...found, warning(TENANT, 'shop:orders are not called extra')])
})

test('reports a workload of a cluster if nothing needs a credential', async () => {
  expect((await plan([OF_CLUSTER, NAMESPACE_OF_CLUSTER])).findings).toMatchObject([SILENT])
})

test('warns of --client-id if no workload gets it', async () => {
  const objects = [serviceAccount('orders', undefined), deployment('orders', 'orders')]
  const { identities, findings } = await plan(objects, { clientId: BILLING })
  expect(identities).toEqual([])
  expect(findings).toMatchObject([SILENT, warning('--client-id', BILLING)])
})

/** A ServiceAccount with these annotations of azure-workload-identity. */
const annotated = (...names: readonly string[]) => {
  const annotations = Object.fromEntries(
    names.map((name) => [`azure.workload.identity/${name}`, TENANT]),
  )
  return { ...NO_IDENTITY, metadata: { ...NO_IDENTITY.metadata, annotations } }
}

test('warns of a ServiceAccount with a tenant and without an identity, unless a workload names one', async () => {
  const account = 'ServiceAccount shop/orders'
  const misspelt = await plan([annotated('clientid', 'tenant-id', 'new')])
  expect(misspelt.findings).toMatchObject([
    warning(account, 'clientid is unknown and has no effect. Did you mean azure.'),
    warning(account, 'names a tenant but no identity'),
  ])
  const used = [identitiesFile(`[{clientId: ${ORDERS}}]`), deployment('a', 'orders', CONFIGURED)]
  expect((await plan([annotated('tenant-id'), ...used])).findings).toEqual([])
})

const NO_IDENTITY = serviceAccount('orders', undefined)
const OF_ALL: readonly string[] = []
const UNNAMED = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'web' } }
const audienceOf = (audience: string) => [
  identitiesFile(`[{clientId: ${ORDERS}, tokenFile: /azure/token}]`),
  deployment('orders', 'orders', { ...CONFIGURED, spec: projectedToken('/azure', audience) }),
]
const DEPLOYMENT = 'Deployment shop/orders'
const OTHERS_FILE = {
  ...identitiesFile(`[{clientId: ${BILLING}}]`),
  metadata: { name: 'identities', namespace: 'away' },
}
const NAMES_NONE = error(DEPLOYMENT, 'ServiceAccount shop/orders names none')
const ELSEWHERE = { valueFrom: { configMapKeyRef: { name: 'azure', key: 'id' } } }

test.each<[string, readonly object[], readonly unknown[], extra?: readonly string[]]>([
  [
    'a client id that is not a GUID',
    [serviceAccount('orders', 'Orders'), deployment('orders', 'orders', INJECTED)],
    [error('ServiceAccount shop/orders', '"Orders"')],
  ],
  [
    'two identities of a ServiceAccount',
    [serviceAccount('orders', BILLING), serviceAccount('orders', ORDERS)],
    [error('ServiceAccount shop/orders', `${BILLING} in cluster.yaml, document 2`)],
  ],
  [
    'claims of several namespaces',
    [serviceAccount('orders', BILLING), serviceAccount('orders', BILLING, 'away')],
    [error(BILLING, 'away (ServiceAccount away/orders), shop (ServiceAccount shop/orders)')],
    OF_ALL,
  ],
  [
    'no identity for the annotation of wimds',
    [NO_IDENTITY, deployment('orders', 'orders', INJECTED)],
    [NAMES_NONE],
  ],
  [
    'no identity for the label of azure-workload-identity',
    [
      NO_IDENTITY,
      deployment('orders', 'orders', { labels: { 'azure.workload.identity/use': 'true' } }),
    ],
    [NAMES_NONE],
  ],
  [
    'no ServiceAccount',
    [deployment('orders', 'orders', INJECTED)],
    [error(DEPLOYMENT, 'ServiceAccount shop/orders, which is not in the input')],
  ],
  [
    'an identities file of another namespace',
    [OTHERS_FILE, deployment('orders', 'orders', CONFIGURED)],
    [error(DEPLOYMENT, 'ConfigMap shop/identities')],
  ],
  [
    'a malformed identities file',
    [identitiesFile('[{clientId: x}]')],
    [error('ConfigMap shop/identities', 'identities.yaml:1:25: identities[0].clientId')],
  ],
  [
    'a malformed client id of a container',
    [NO_IDENTITY, withClientId({ value: '${CLIENT_ID}' })],
    [error(DEPLOYMENT, 'cluster.yaml, document 3 must be a GUID, not "${CLIENT_ID}"'), SILENT],
  ],
  ['a client id that Kubernetes expands', [withClientId({ value: '$(ID)' })], [SILENT]],
  ['a client id in a ConfigMap', [withClientId(ELSEWHERE)], [SILENT]],
  [
    'an audience that is a file for the Azure CLI',
    audienceOf('@/etc/passwd'),
    [error(DEPLOYMENT, '"@/etc/passwd"')],
  ],
  [
    'a serviceAccountName that could break out of the output',
    [deployment('orders', "x'; rm -rf ~", INJECTED)],
    [error(DEPLOYMENT, "x'; rm -rf ~")],
  ],
  [
    'an object that is not a pod',
    [deployment('orders', 'orders', { spec: { containers: [] } })],
    [error(DEPLOYMENT, 'spec.containers')],
  ],
  [
    'a kind that is not known',
    [{ ...deployment('orders', 'orders'), apiVersion: 'ray.io/v1', kind: 'RayCluster' }],
    [
      {
        ...warning('RayCluster "orders" (cluster.yaml, document 2)', 'unknown kind'),
        fix: '--path RayCluster.ray.io=spec.template',
      },
    ],
  ],
  [
    'no namespace',
    [UNNAMED],
    [error('ServiceAccount "web" (cluster.yaml, document 2)', 'namespace')],
    OF_ALL,
  ],
  ...['{{ .Values.name }}', "a'; id; '", ''].map(
    (name): [string, readonly object[], readonly unknown[], readonly string[]] => [
      `the name ${JSON.stringify(name)}`,
      [serviceAccount(name, ORDERS)],
      [error(expect.stringContaining(JSON.stringify(name)), 'no valid name')],
      OF_ALL,
    ],
  ),
])(
  'leaves out %s, and calls no credential extra that it may need',
  async (_, left, found, extra = ['far']) => {
    const list = ['shop:kept', 'shop:web', 'away:far'].map((name) =>
      existingFor(`system:serviceaccount:${name}`),
    )
    const objects = [serviceAccount('kept', TENANT), ...left]
    const { identities, findings } = await plan(
      objects,
      {},
      { existing: new Map([[TENANT, list]]) },
    )
    expect(identities).toMatchObject([
      {
        clientId: TENANT,
        extra: extra.map((name) => ({ subject: `system:serviceaccount:away:${name}` })),
      },
    ])
    expect(findings).toMatchObject([...found, warning(TENANT, 'system:serviceaccount:shop:web')])
  },
)
