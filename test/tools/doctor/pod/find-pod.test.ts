import { expect, test } from 'vitest'
import { diagnose, runDoctor } from '../run-doctor.ts'
import { fakeKubectl, type KubectlAnswer } from '../../../fixtures/kubectl.ts'
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
  using fake = fakeKubectl(answers)
  return { ...(await diagnose([text], fake.env)), calls: await fake.calls() }
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
  ['orders', 'get deployments,statefulsets,', 'orders-waiting', PODS],
  ['deploy/orders', 'get deploy orders', 'orders-ready', [...PODS.slice(2), EVICTED, LEAVING]],
])(
  'finds a pod of %s, and prefers one that has not ended and is not ready',
  async (text, call, name, items) => {
    const workload = text === 'orders' ? { kind: 'List', items: [deployment] } : deployment
    const { report, calls } = await find(
      text,
      NO_POD,
      answer(call, workload),
      answer('get pods --selector=app=orders,tier=web', { items }),
    )
    expect(report.pod).toBe(name)
    expect(calls.some((each) => each.startsWith('get pod '))).toBe(text === 'orders')
  },
)

test.each([
  ['finds the pod of one', JSON.stringify({ items: [deployment] }), 'orders-ready', undefined],
  ['does not say that there is none', '', 'orders', 'permission_missing'],
])('%s if another kind of workload may not be read', async (_, stdout, name, code) => {
  const { report, failures } = await find(
    'orders',
    NO_POD,
    { call: 'get deployments,statefulsets,', code: 1, stdout, stderr: FORBIDDEN_KIND },
    answer('get pods --selector', { items: PODS.slice(2) }),
  )
  expect(report.pod).toBe(name)
  expect(failures.includes('pod: permission_missing')).toBe(code !== undefined)
})

const job = (name: string, uid: string) => ({ metadata: { name, ownerReferences: [{ uid }] } })
const EXPRESSIONS = {
  matchLabels: { app: 'orders' },
  matchExpressions: [
    { key: 'tier', operator: 'NotIn', values: ['a', 'b'] },
    { key: 'x', operator: 'DoesNotExist' },
  ],
}

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
    { kind: 'Deployment', metadata: {}, spec: { selector: EXPRESSIONS } },
    'app=orders,tier notin (a,b),!x',
  ],
])('finds the pods of %s', async (_, text, workload, selector) => {
  const { report } = await find(
    text,
    answer(`get ${text.replace('/', ' ')} --ignore-not-found`, workload),
    answer('get jobs', { items: [job('orders-1', 'a'), job('orders-2', 'a'), job('other', 'b')] }),
    answer(`get pods --selector=${selector} --output`, { items: PODS.slice(2) }),
  )
  expect(report.pod).toBe('orders-ready')
})

const none = answer('get pods --selector', { items: [] })
const refusal = (message: string) => ({
  conditions: [{ type: 'ReplicaFailure', status: 'True', message }],
})
const UNREACHABLE =
  'Error creating: Internal error occurred: failed calling webhook "pods.wimds.io": failed to call webhook: Post "https://wimds.wimds.svc:443/mutate?timeout=5s": no endpoints available for service "wimds"'

test.each<[string, string, readonly KubectlAnswer[], string, string]>([
  [
    'the pod and the workload are missing',
    'orders',
    [NO_POD],
    'pod_not_found',
    'there is no pod and no workload orders in the current namespace',
  ],
  [
    'the kind is unknown',
    'rollout/orders',
    [{ call: 'get rollout', code: 1, stderr: NO_SUCH_KIND }],
    'pod_not_found',
    `kubectl get rollout failed: the server doesn't have a resource type "rollout"`,
  ],
  [
    'a quota refuses new pods beside old ones',
    'deploy/orders',
    [
      answer('get deploy', {
        ...deployment,
        status: refusal('exceeded quota: team, requested: x'),
      }),
      answer('get pods --selector', { items: PODS }),
    ],
    'pod_not_admitted',
    'the ResourceQuota team refuses the pods of orders: ',
  ],
  [
    'a dead webhook refuses all pods',
    'deploy/orders',
    [answer('get deploy', deployment), none, failedCreate('orders', UNREACHABLE)],
    'webhook_unavailable',
    'the unreachable admission webhook pods.wimds.io refuses the pods of orders: Internal error',
  ],
  [
    'the workload has no pod, and no event is a refusal',
    'deploy/orders',
    [answer('get deploy', deployment), none, failedCreate('orders', 'Error creating: timeout')],
    'pod_not_found',
    'the Deployment orders in the current namespace has no pod',
  ],
])('says that %s', async (_, text, answers, code, problem) => {
  const { failures, problems } = await find(text, ...answers, NO_WORKLOAD)
  expect(failures).toEqual([`pod: ${code}`])
  expect(problems[0]?.problem).toContain(problem)
})

test.each([[['orders', '-n', 'shop']], [['shop/orders']]])('takes %j', async (args) => {
  using fake = fakeKubectl([NO_POD])
  await runDoctor(args, fake.env)
  const [first] = await fake.calls()
  expect(first).toMatch(/^--namespace=shop get pod orders /)
})
