import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { Report } from '../../../src/tools/trust/finding.ts'
import { readClusterObjects } from '../../../src/tools/trust/cluster-objects.ts'
import { deployment, error, read, warning } from './fixtures.ts'

test('puts objects without a namespace into the given one, and reports them without', async () => {
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'orders' } }
  expect((await read([account], 'shop')).objects.serviceAccounts).toMatchObject([
    { namespace: 'shop' },
  ])
  const { objects, findings } = await read([account])
  expect(objects.serviceAccounts).toEqual([])
  const label = 'ServiceAccount "orders" (cluster.yaml)'
  expect(findings).toEqual([
    {
      ...error(label, 'has no namespace'),
      fix: 'set metadata.namespace, or pass --namespace',
    },
  ])
})

test.each(['{{ .Values.name }}', "a'; id; '", 'a\nb', ''])('rejects the name %j', async (name) => {
  const { objects, findings } = await read([
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: 'shop' } },
  ])
  expect(objects.serviceAccounts).toEqual([])
  expect(findings).toMatchObject([
    { severity: 'error', problem: expect.stringContaining('no valid name') },
  ])
})

test('reports an object that is not a pod', async () => {
  const metadata = { name: 'a', namespace: 'shop' }
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [] } }
  const { findings } = await read([pod])
  const problem = 'spec.containers must not be empty. Fix: add a container'
  expect(findings).toMatchObject([{ severity: 'error', object: 'Pod shop/a', problem }])
})

test('counts an object that a workload of the input controls as that workload', async () => {
  const old = deployment('orders-5d9', 'former')
  const ownerReferences = [{ kind: 'Deployment', name: 'orders', controller: true }]
  const replicaSet = {
    ...old,
    kind: 'ReplicaSet',
    metadata: { ...old.metadata, ownerReferences },
  }
  const { objects } = await read([deployment('orders', 'orders'), replicaSet])
  expect(objects.workloads.map(({ name }) => name)).toEqual(['orders'])
  const alone = await read([replicaSet])
  expect(alone.objects.workloads.map(({ name }) => name)).toEqual(['orders-5d9'])
})

const KNATIVE = {
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { template: { spec: { serviceAccountName: 'web', containers: [{ name: 'app' }] } } },
}

test('reads a Rollout, and other kinds where their pod template is given', async () => {
  const rollout = {
    ...deployment('orders', 'orders'),
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
  }
  const source = [rollout, KNATIVE].map((each) => stringify(each)).join('---\n')
  const templatePaths = [
    { kind: 'Service', group: 'serving.knative.dev', keys: ['spec', 'template'] },
  ]
  const report = new Report()
  const options = { namespace: undefined, templatePaths }
  const objects = await readClusterObjects([{ name: 'a.yaml', source }], options, report)
  expect(report.findings).toEqual([])
  expect(objects.workloads.map(({ kind }) => kind)).toEqual(['Rollout', 'Service'])
})

test('warns of a pod template of a kind that is not known', async () => {
  const { findings } = await read([KNATIVE])
  expect(findings).toEqual([
    {
      ...warning('Service "web" (cluster.yaml)', 'is of an unknown kind'),
      fix: '--path Service.serving.knative.dev=spec.template',
    },
  ])
})
