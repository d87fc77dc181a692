import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { createReport, type Finding } from '../../../../src/tools/trust/finding.ts'
import { migrateFromAadPodIdentity } from '../../../../src/tools/trust/migration/aad-pod-identity.ts'
import { createTrustPlan } from '../../../../src/tools/trust/plan.ts'
import {
  BILLING,
  deployment,
  error,
  OPTIONS,
  ORDERS,
  ORDERS_ID,
  read,
  serviceAccount,
  SUBSCRIPTION,
  TENANT,
} from '../fixtures.ts'

const RESOURCE_ID = (name: string) =>
  `/subscriptions/${SUBSCRIPTION}/resourcegroups/shop/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`

const podIdentity = (kind: string, name: string, spec: unknown, metadata = {}) => ({
  apiVersion: 'aadpodidentity.k8s.io/v1',
  kind,
  metadata: { name, namespace: 'shop', ...metadata },
  spec,
})

const azureIdentity = (name: string, clientID: string, metadata = {}) =>
  podIdentity('AzureIdentity', name, { type: 0, clientID, resourceID: RESOURCE_ID(name) }, metadata)

const binding = (identity: string, selector: string, metadata = {}) =>
  podIdentity(
    'AzureIdentityBinding',
    `${identity}-binding`,
    { azureIdentity: identity, selector },
    metadata,
  )

const labelled = (name: string, account: string | undefined, label: string, options = {}) =>
  deployment(name, account, { labels: { app: name, aadpodidbinding: label }, ...options })

async function migrate(
  objects: readonly unknown[],
  options: { isNamespaced?: boolean; tenantId?: string | undefined } = {},
) {
  const findings: Finding[] = []
  const migration = migrateFromAadPodIdentity(
    (await read(objects)).objects,
    { isNamespaced: false, tenantId: TENANT, ...options },
    createReport(findings),
  )
  const plan = createTrustPlan(migration.objects, { known: migration.known, existing: [] }, OPTIONS)
  const change = (object: string) => migration.changes.find((each) => each.object === object)
  const subjects = plan.identities.flatMap(({ clientId, credentials }) =>
    credentials.map(({ subject }) => `${clientId} ${subject}`),
  )
  return { ...migration, findings: [...findings, ...plan.findings], plan, change, subjects }
}

const subject = (account: string) => `system:serviceaccount:shop:${account}`

test('moves the identity of a label to the ServiceAccount of the workload', async () => {
  const { change, subjects, plan, findings } = await migrate([
    azureIdentity('orders', ORDERS),
    binding('orders', 'orders-pods'),
    serviceAccount('orders', undefined),
    labelled('orders', 'orders', 'orders-pods'),
  ])
  expect(change('Deployment shop/orders')).toEqual({
    object: 'Deployment shop/orders',
    isNew: false,
    remove: ['spec.template.metadata.labels: aadpodidbinding: "orders-pods"'],
    add: ['spec.template.metadata.annotations: wimds.io/inject: "true"'],
    notes: [],
  })
  expect(change('ServiceAccount shop/orders')).toEqual({
    object: 'ServiceAccount shop/orders',
    isNew: false,
    remove: [],
    add: [
      `metadata.annotations: azure.workload.identity/client-id: "${ORDERS}"`,
      `metadata.annotations: azure.workload.identity/tenant-id: "${TENANT}"`,
    ],
    notes: [],
  })
  expect(subjects).toEqual([`${ORDERS} ${subject('orders')}`])
  expect(plan.identities).toMatchObject([{ kind: 'managed-identity', id: ORDERS_ID }])
  expect(findings).toEqual([])
})

test('creates a ServiceAccount for workloads that use the default one', async () => {
  const { change, subjects } = await migrate([
    azureIdentity('orders', ORDERS),
    binding('orders', 'orders-pods'),
    labelled('one', undefined, 'orders-pods'),
    labelled('two', 'default', 'orders-pods'),
  ])
  expect(change('ServiceAccount shop/orders')).toMatchObject({
    isNew: true,
    manifest: {
      kind: 'ServiceAccount',
      metadata: {
        name: 'orders',
        namespace: 'shop',
        annotations: { 'azure.workload.identity/client-id': ORDERS },
      },
    },
  })
  expect(change('Deployment shop/one')?.add).toContain(
    'spec.template.spec.serviceAccountName: orders',
  )
  expect(change('Deployment shop/two')).toMatchObject({
    remove: expect.arrayContaining(['spec.template.spec.serviceAccountName: default']),
    add: expect.arrayContaining(['spec.template.spec.serviceAccountName: orders']),
  })
  expect(subjects).toEqual([`${ORDERS} ${subject('orders')}`])
})

test('separates workloads that share a ServiceAccount and have different identities', async () => {
  const { change, subjects } = await migrate([
    azureIdentity('orders', ORDERS),
    azureIdentity('billing', BILLING),
    binding('orders', 'orders-pods'),
    binding('billing', 'billing-pods'),
    // The name of an identity is taken.
    serviceAccount('orders', undefined),
    serviceAccount('app', undefined),
    labelled('orders', 'app', 'orders-pods'),
    labelled('billing', 'app', 'billing-pods'),
  ])
  expect(subjects).toEqual([`${ORDERS} ${subject('orders-2')}`, `${BILLING} ${subject('billing')}`])
  expect(change('Deployment shop/billing')?.notes).toEqual([
    'RoleBindings of the ServiceAccount app have to name billing, too',
  ])
})

test('lists several identities of a label in an identities file', async () => {
  const { change, subjects, plan, findings } = await migrate([
    azureIdentity('orders', ORDERS),
    azureIdentity('billing', BILLING),
    binding('orders', 'both'),
    binding('billing', 'both'),
    serviceAccount('app', undefined),
    labelled('app', 'app', 'both'),
  ])
  const configMap = change('ConfigMap shop/app-identities')
  expect(configMap?.isNew).toBe(true)
  const data: unknown = configMap?.manifest?.['data']
  expect(data).toEqual({ 'identities.yaml': expect.any(String) })
  expect(parse(Object.values(data ?? {})[0])).toEqual({
    identities: [
      { name: 'orders', clientId: ORDERS, tenantId: TENANT, resourceId: RESOURCE_ID('orders') },
      { name: 'billing', clientId: BILLING, tenantId: TENANT, resourceId: RESOURCE_ID('billing') },
    ],
  })
  expect(change('Deployment shop/app')).toMatchObject({
    add: expect.arrayContaining([
      'spec.template.metadata.annotations: wimds.io/config-map: "app-identities"',
    ]),
    notes: [expect.stringContaining('default: true')],
  })
  expect(change('ServiceAccount shop/app')).toBeUndefined()
  expect(subjects).toEqual([`${ORDERS} ${subject('app')}`, `${BILLING} ${subject('app')}`])
  expect(plan.identities.every(({ kind }) => kind === 'managed-identity')).toBe(true)
  expect(findings).toEqual([])
})

describe.each([1, 2])('a service principal (type %s)', (type) => {
  const principal = podIdentity('AzureIdentity', 'orders', {
    type,
    clientID: ORDERS,
    tenantID: TENANT,
    clientPassword: { Name: 'orders-sp', Namespace: 'secrets' },
    adEndpoint: 'https://login.chinacloudapi.cn/',
    auxiliaryTenantIDs: ['other'],
  })

  test('becomes an application of its own tenant, whose credential can be deleted', async () => {
    const { change, plan } = await migrate(
      [
        principal,
        binding('orders', 'orders-pods'),
        serviceAccount('orders', undefined),
        labelled('orders', 'orders', 'orders-pods'),
      ],
      { tenantId: 'another.example' },
    )
    expect(plan.identities).toMatchObject([{ clientId: ORDERS, kind: 'application' }])
    expect(change('ServiceAccount shop/orders')?.add[1]).toContain(TENANT)
    expect(change('AzureIdentity shop/orders')?.notes).toEqual([
      expect.stringContaining('the Secret secrets/orders-sp'),
      expect.stringContaining('https://login.chinacloudapi.cn/'),
      expect.stringContaining('auxiliaryTenantIDs'),
    ])
  })
})

const flags = (args: readonly string[]) =>
  deployment('mic', undefined, { spec: { containers: [{ name: 'mic', args }] } })

describe('matching', () => {
  const elsewhere = { namespace: 'identities' }
  const across = [
    azureIdentity('orders', ORDERS, elsewhere),
    binding('orders', 'orders-pods', elsewhere),
    serviceAccount('orders', undefined),
    labelled('orders', 'orders', 'orders-pods'),
  ]

  test('crosses namespaces by default', async () => {
    expect((await migrate(across)).subjects).toEqual([`${ORDERS} ${subject('orders')}`])
  })

  const namespaced = {
    ...elsewhere,
    annotations: { 'aadpodidentity.k8s.io/Behavior': 'namespaced' },
  }

  test.each([
    ['the flag of the command', across, true],
    ['the flag of MIC', [...across, flags(['--forceNamespaced'])], false],
    [
      'the annotation of the identity',
      [azureIdentity('orders', ORDERS, namespaced), ...across.slice(1)],
      false,
    ],
  ])('keeps to the namespace in namespaced mode: %s', async (_, objects, isNamespaced) => {
    const { subjects, findings } = await migrate(objects, { isNamespaced })
    expect(subjects).toEqual([])
    expect(findings).toMatchObject([error('Deployment shop/orders', 'selects no AzureIdentity')])
  })

  test('needs the identity in the namespace of its binding', async () => {
    const { subjects } = await migrate([
      azureIdentity('orders', ORDERS, elsewhere),
      binding('orders', 'orders-pods'),
      labelled('orders', 'orders', 'orders-pods'),
    ])
    expect(subjects).toEqual([])
  })

  test('reads the members of early versions in their letter case', async () => {
    const { subjects } = await migrate([
      podIdentity('AzureIdentity', 'orders', {
        type: 0,
        ClientID: ORDERS,
        ResourceID: RESOURCE_ID('orders'),
      }),
      podIdentity('AzureIdentityBinding', 'b', {
        AzureIdentity: 'orders',
        Selector: 'orders-pods',
      }),
      serviceAccount('orders', undefined),
      labelled('orders', 'orders', 'orders-pods'),
    ])
    expect(subjects).toEqual([`${ORDERS} ${subject('orders')}`])
  })
})

test('keeps a label that is in the selector, since that cannot be changed', async () => {
  const workload = labelled('orders', 'orders', 'orders-pods')
  const selected = {
    ...workload,
    spec: { ...workload.spec, selector: { matchLabels: { aadpodidbinding: 'orders-pods' } } },
  }
  const { change } = await migrate([
    azureIdentity('orders', ORDERS),
    binding('orders', 'orders-pods'),
    serviceAccount('orders', undefined),
    selected,
  ])
  expect(change('Deployment shop/orders')).toMatchObject({
    remove: [],
    notes: [expect.stringContaining('is in spec.selector')],
  })
})

test('says which objects can be deleted afterwards, and which nothing uses', async () => {
  const { changes } = await migrate([
    azureIdentity('orders', ORDERS),
    binding('orders', 'orders-pods'),
    podIdentity('AzurePodIdentityException', 'mic', { podLabels: { app: 'mic' } }),
    podIdentity('AzureAssignedIdentity', 'x', {}),
  ])
  expect(changes.map(({ object, notes }) => [object, notes])).toEqual([
    ['AzureIdentity shop/orders', ['no workload in the input uses it']],
    ['AzureIdentityBinding shop/orders-binding', ['no workload in the input uses it']],
    ['AzurePodIdentityException shop/mic', [expect.stringContaining('need no exception')]],
  ])
})

test.each([
  [{ type: 0, clientID: 'CLIENT_ID' }, 'spec.clientID must be a GUID, not "client_id"'],
  [{ type: 3, clientID: ORDERS }, 'spec.type must be 0, 1 or 2, not 3'],
  [undefined, 'spec.clientID must be a GUID'],
])('reports the malformed AzureIdentity %j', async (spec, message) => {
  const { findings } = await migrate([podIdentity('AzureIdentity', 'orders', spec)])
  expect(findings).toMatchObject([error('AzureIdentity shop/orders', message)])
})

test('has a placeholder for a tenant that is not known', async () => {
  const { change } = await migrate(
    [
      azureIdentity('orders', ORDERS),
      binding('orders', 'orders-pods'),
      serviceAccount('orders', undefined),
      labelled('orders', 'orders', 'orders-pods'),
    ],
    { tenantId: undefined },
  )
  expect(change('ServiceAccount shop/orders')).toMatchObject({
    add: expect.arrayContaining([expect.stringContaining('"TENANT_ID"')]),
    notes: [expect.stringContaining('--tenant-id')],
  })
})
