import { expect, test } from 'vitest'
import { catchEnd, CheckEnd } from '../../../../src/tools/doctor/findings.ts'
import { createKubectl, requireKubectl } from '../../../../src/tools/doctor/kubectl.ts'
import { findPod } from '../../../../src/tools/doctor/pod/find-pod.ts'
import { parsePodTarget } from '../../../../src/tools/doctor/pod/pod-target.ts'
import { runDoctor } from '../run-doctor.ts'
import { fakeKubectl, type KubectlAnswer } from '../../../fixtures/kubectl.ts'
import { captureIo } from '../../capture.ts'
import { FORBIDDEN_KIND, NO_SUCH_KIND } from '../../../fixtures/kubectl-failures.ts'

const NO_POD: KubectlAnswer = { call: 'get pod orders' }
const NO_WORKLOAD: KubectlAnswer = { call: 'get deployments,statefulsets,' }
const deployment = {
  kind: 'Deployment',
  metadata: { name: 'orders' },
  spec: { selector: { matchLabels: { app: 'orders', tier: 'web' } } },
}
const podOf = (name: string, isReady: boolean, creationTimestamp: string) => ({
  metadata: { name, namespace: 'shop', creationTimestamp },
  spec: { containers: [{ name: 'app' }] },
  status: { conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] },
})
const answer = (call: string, document: object): KubectlAnswer => ({
  call,
  stdout: JSON.stringify(document),
})
const failedCreate = (name: string, message: string) =>
  answer(`--field-selector=involvedObject.name=${name},reason=FailedCreate`, {
    items: [{ message }],
  })

async function find(text: string, ...answers: readonly KubectlAnswer[]) {
  const target = parsePodTarget(text)
  if (target === undefined) throw new Error(`no target: ${text}`)
  using fake = fakeKubectl(answers)
  const kubectl = createKubectl({ io: captureIo(fake.env) })
  const pod = await catchEnd(() => findPod(kubectl, target))
  const found = pod instanceof CheckEnd ? requireKubectl(pod).failure : pod.metadata
  return { found, calls: await fake.calls() }
}

const PODS = [
  podOf('orders-ready-old', true, '2026-01-01T00:00:00Z'),
  podOf('orders-waiting', false, '2026-01-02T00:00:00Z'),
  podOf('orders-ready', true, '2026-01-03T00:00:00Z'),
]
const newest = podOf('orders-newest', false, '2026-01-04T00:00:00Z')
const EVICTED = { ...newest, status: { phase: 'Failed', reason: 'Evicted' } }
const LEAVING = {
  ...newest,
  metadata: { ...newest.metadata, deletionTimestamp: '2026-01-06T00:00:00Z' },
}

test.each([
  ['shop/orders', 'get deployments,statefulsets,', 'orders-waiting', PODS],
  ['deploy/orders', 'get deploy orders', 'orders-ready', [...PODS.slice(2), EVICTED, LEAVING]],
])('finds a pod of %s, first one that lives and is not ready', async (text, call, name, items) => {
  const workload = text === 'shop/orders' ? { kind: 'List', items: [deployment] } : deployment
  const { found, calls } = await find(
    text,
    NO_POD,
    answer(call, workload),
    answer('get pods --selector=app=orders,tier=web', { items }),
  )
  expect(found).toMatchObject({ name, namespace: 'shop' })
  expect(calls.some((each) => each.startsWith('get pod '))).toBe(text === 'shop/orders')
})

test.each([
  ['finds the pod of one', JSON.stringify({ items: [deployment] }), { name: 'orders-ready' }],
  ['does not say that there is none', '', { code: 'permission_missing' }],
])('%s if another kind of workload may not be read', async (_, stdout, expected) => {
  const { found } = await find(
    'orders',
    NO_POD,
    { call: 'get deployments,statefulsets,', code: 1, stdout, stderr: FORBIDDEN_KIND },
    answer('get pods --selector', { items: PODS.slice(2) }),
  )
  expect(found).toMatchObject(expected)
})

test('says that there is no pod, no workload and no kind of that name', async () => {
  const none = await find('orders', NO_POD, NO_WORKLOAD)
  expect(none.found).toMatchObject({
    code: 'pod_not_found',
    problem: 'there is no pod and no workload orders in the current namespace',
  })
  const noKind = await find('rollout/orders', {
    call: 'get rollout',
    code: 1,
    stderr: NO_SUCH_KIND,
  })
  expect(noKind.found).toMatchObject({
    code: 'pod_not_found',
    problem: `kubectl get rollout failed: the server doesn't have a resource type "rollout"`,
  })
})

const job = (name: string, uid: string) => ({ metadata: { name, ownerReferences: [{ uid }] } })

test.each([
  [
    'a CronJob',
    'cronjob/orders',
    { kind: 'CronJob', metadata: { uid: 'a' }, spec: {} },
    'job-name in (orders-1,orders-2)',
  ],
  [
    'a Rollout that takes the template of a Deployment',
    'rollout/orders',
    { kind: 'Rollout', metadata: {}, spec: {}, status: { selector: 'app=orders' } },
    'app=orders',
  ],
  [
    'a workload with expressions',
    'deployments.apps/orders',
    {
      kind: 'Deployment',
      metadata: {},
      spec: {
        selector: {
          matchLabels: { app: 'orders' },
          matchExpressions: [
            { key: 'tier', operator: 'NotIn', values: ['a', 'b'] },
            { key: 'x', operator: 'DoesNotExist' },
          ],
        },
      },
    },
    'app=orders,tier notin (a,b),!x',
  ],
])('finds the pods of %s', async (_, text, workload, selector) => {
  const { found } = await find(
    text,
    answer(`get ${text.replace('/', ' ')} --ignore-not-found`, workload),
    answer('get jobs', { items: [job('orders-1', 'a'), job('orders-2', 'a'), job('other', 'b')] }),
    answer(`get pods --selector=${selector} --output`, { items: PODS.slice(2) }),
  )
  expect(found).toMatchObject({ name: 'orders-ready' })
})

test('names what refuses the new pods of a workload that has old ones', async () => {
  const message =
    'pods "orders-" is forbidden: exceeded quota: team, requested: pods=1, used: pods=1, limited: pods=1'
  const status = { conditions: [{ type: 'ReplicaFailure', status: 'True', message }] }
  const { found } = await find(
    'deploy/orders',
    answer('get deploy orders', { ...deployment, status }),
    answer('get pods --selector', { items: PODS }),
  )
  expect(found).toMatchObject({
    code: 'pod_not_admitted',
    problem: expect.stringContaining('the ResourceQuota team refuses the pods of orders: '),
  })
})

test('names the dead webhook by which no pod can be created', async () => {
  const message =
    'Error creating: Internal error occurred: failed calling webhook "pods.wimds.io": failed to call webhook: Post "https://wimds.wimds.svc:443/mutate?timeout=5s": no endpoints available for service "wimds"'
  const { found } = await find(
    'deploy/orders',
    answer('get deploy orders', deployment),
    answer('get pods --selector', { items: [] }),
    failedCreate('orders', message),
  )
  expect(found).toMatchObject({
    code: 'webhook_unavailable',
    problem: expect.stringMatching(
      /^the unreachable admission webhook pods\.wimds\.io refuses the pods of orders: Internal error .*no endpoints/,
    ),
  })
})

test('says that a workload has no pod if no event is a refusal', async () => {
  const none = answer('get pods --selector', { items: [] })
  const events = failedCreate('orders', 'Error creating: timeout')
  const { found } = await find('deploy/orders', answer('get deploy', deployment), none, events)
  expect(found).toMatchObject({
    code: 'pod_not_found',
    problem: 'the Deployment orders in the current namespace has no pod',
  })
})

test.each([
  [['orders', '-n', 'shop'], '--namespace=shop get pod orders'],
  [['shop/orders'], '--namespace=shop get pod orders'],
])('doctor takes %j', async (args, call) => {
  using fake = fakeKubectl([NO_POD])
  const { code } = await runDoctor(args, fake.env)
  expect(code).toBe(1)
  const [first] = await fake.calls()
  expect(first).toMatch(new RegExp(`^${call} `))
})
