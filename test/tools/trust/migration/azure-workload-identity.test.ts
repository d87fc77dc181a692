import { expect, test } from 'vitest'
import { migrateFromAzureWorkloadIdentity } from '../../../../src/tools/trust/migration/azure-workload-identity.ts'
import { createTrustPlan } from '../../../../src/tools/trust/plan.ts'
import { deployment, INJECT, OPTIONS, ORDERS, read, serviceAccount, TENANT } from '../fixtures.ts'

const PREFIX = 'azure.workload.identity/'
const PROXY = { [`${PREFIX}inject-proxy-sidecar`]: 'true' }
const TENANT_ANNOTATION = { [`${PREFIX}tenant-id`]: TENANT }

async function migrate(objects: readonly unknown[], tenantId?: string) {
  return migrateFromAzureWorkloadIdentity((await read(objects)).objects, tenantId)
}

test('replaces the annotations of the proxy', async () => {
  const annotations = {
    ...PROXY,
    [`${PREFIX}proxy-sidecar-port`]: '9000',
    [`${PREFIX}skip-containers`]: 'a;b',
  }
  const { changes, objects } = await migrate([
    serviceAccount('orders', ORDERS, TENANT_ANNOTATION),
    deployment('orders', 'orders', { annotations }),
  ])
  expect(changes).toEqual([
    {
      object: 'Deployment shop/orders',
      isNew: false,
      remove: [
        `spec.template.metadata.annotations: ${PREFIX}inject-proxy-sidecar: "true"`,
        `spec.template.metadata.annotations: ${PREFIX}proxy-sidecar-port: "9000"`,
      ],
      add: [
        'spec.template.metadata.annotations: wimds.io/inject: "true"',
        'spec.template.metadata.annotations: wimds.io/port: "9000"',
      ],
      notes: [],
    },
  ])
  const plan = createTrustPlan(objects, { known: [], existing: [] }, OPTIONS)
  expect(plan.findings).toEqual([])
  expect(plan.identities[0]?.credentials[0]?.sources).toEqual([
    'ServiceAccount shop/orders',
    'Deployment shop/orders',
  ])
})

test('removes the containers of the proxy', async () => {
  const spec = {
    initContainers: [{ name: 'azwi-proxy-init' }, { name: 'own' }],
    containers: [{ name: 'azwi-proxy' }, { name: 'app' }],
  }
  const { changes, objects } = await migrate([deployment('orders', undefined, { spec })])
  expect(changes[0]?.remove).toEqual([
    'spec.template.spec.initContainers: the container azwi-proxy-init',
    'spec.template.spec.containers: the container azwi-proxy',
  ])
  const [workload] = objects.workloads
  expect(workload?.template.spec.containers).toEqual([{ name: 'app' }])
  expect(workload?.template.spec.initContainers).toEqual([{ name: 'own' }])
})

test('explains the value "false" and the label of the other webhook', async () => {
  const { changes } = await migrate([
    deployment('orders', undefined, {
      annotations: {
        [`${PREFIX}inject-proxy-sidecar`]: 'false',
      },
      labels: { [`${PREFIX}use`]: 'true' },
    }),
  ])
  expect(changes[0]?.notes).toEqual([
    expect.stringContaining('although the annotation'),
    expect.stringContaining(`the label ${PREFIX}use can be removed`),
  ])
})

const line = (tenant: string) => `metadata.annotations: ${PREFIX}tenant-id: "${tenant}"`

test('adds the tenant to a ServiceAccount without one', async () => {
  const objects = [
    serviceAccount('orders', ORDERS),
    serviceAccount('other', ORDERS),
    deployment('orders', 'orders', { annotations: PROXY }),
  ]
  const add = async (tenantId?: string) =>
    (await migrate(objects, tenantId)).changes.slice(1).map((change) => [change.object, change.add])
  expect(await add()).toEqual([['ServiceAccount shop/orders', [line('TENANT_ID')]]])
  expect(await add(TENANT)).toEqual([['ServiceAccount shop/orders', [line(TENANT)]]])
})

test('says why injection would reject a pod', async () => {
  const { changes } = await migrate([
    deployment('orders', undefined, { annotations: PROXY, spec: { hostNetwork: true } }),
  ])
  expect(changes[0]?.notes).toEqual([
    expect.stringMatching(/^injection would be rejected: .*hostNetwork/),
  ])
})

test('changes nothing that does not use the proxy', async () => {
  const { changes } = await migrate([
    serviceAccount('orders', ORDERS),
    deployment('orders', 'orders', { labels: { [`${PREFIX}use`]: 'true' } }),
    deployment('wimds', 'orders', { annotations: INJECT }),
  ])
  expect(changes).toEqual([])
})
