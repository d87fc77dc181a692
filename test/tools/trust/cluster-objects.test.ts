import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { Report } from '../../../src/tools/trust/finding.ts'
import { readClusterObjects } from '../../../src/tools/trust/cluster-objects.ts'
import { deployment, read } from './fixtures.ts'

test('puts objects without a namespace into the given one', async () => {
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'orders' } }
  expect((await read([account], 'shop')).objects.serviceAccounts).toMatchObject([
    { namespace: 'shop' },
  ])
})

test('counts an object that a workload of the input controls as that workload', async () => {
  const old = deployment('orders-5d9', 'former')
  const ownerReferences = [{ kind: 'Deployment', name: 'orders', controller: true }]
  const replicaSet = { ...old, kind: 'ReplicaSet', metadata: { ...old.metadata, ownerReferences } }
  const { objects } = await read([deployment('orders', 'orders'), replicaSet])
  expect(objects.workloads.map(({ name }) => name)).toEqual(['orders'])
  const alone = await read([replicaSet])
  expect(alone.objects.workloads.map(({ name }) => name)).toEqual(['orders-5d9'])
})

test('reads other kinds where their pod template is given', async () => {
  const service = {
    ...deployment('orders', 'orders'),
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
  }
  const templatePaths = [
    { kind: 'Service', group: 'serving.knative.dev', keys: ['spec', 'template'] },
  ]
  const report = new Report()
  const options = { namespace: undefined, templatePaths }
  const files = [{ name: 'a.yaml', source: stringify(service) }]
  const objects = await readClusterObjects(files, options, report)
  expect(report.findings).toEqual([])
  expect(objects.workloads.map(({ kind }) => kind)).toEqual(['Service'])
})
