/** `wimds doctor --cluster` with a fake kubectl, which answers from a table. */
import { describe, expect, test } from 'vitest'
import { fakeKubectl, type KubectlAnswer } from '../../../fixtures/kubectl.ts'
import { diagnose } from '../run-doctor.ts'

const IMAGE = 'ghcr.io/wimds/wimds:0.2.0'

interface Cluster {
  readonly dryRun?: Omit<KubectlAnswer, 'call'>
  readonly pods?: readonly object[]
  /** The namespaces with the label, and those that the webhook reviews. */
  readonly labelled?: readonly string[]
  readonly reviewed?: readonly string[]
  /** The answers that come before the others. */
  readonly answers?: readonly KubectlAnswer[]
}

const list = (call: string, items: readonly object[]): KubectlAnswer => ({
  call,
  stdout: JSON.stringify({ items }),
})

const INJECTED = { spec: { initContainers: [{ name: 'wimds' }] } }

/** Returns the answers of a cluster in which every check passes, apart from these changes. */
function answersOf({
  dryRun = { stdout: JSON.stringify(INJECTED) },
  pods = [],
  labelled = [],
  reviewed = ['shop'],
  answers = [],
}: Cluster): KubectlAnswer[] {
  const serverVersion = { gitVersion: 'v1.34.4', major: '1', minor: '34' }
  const service = { name: 'wimds', namespace: 'wimds-system' }
  const clientConfig = { service }
  const excluded = {
    key: 'kubernetes.io/metadata.name',
    operator: 'NotIn',
    values: ['kube-system'],
  }
  const namespaceSelector = { matchExpressions: [excluded] }
  const webhooks = ['pods.wimds.io', 'namespace.pods.wimds.io'].map((name) => ({
    name,
    clientConfig,
    namespaceSelector,
  }))
  const containers = [{ args: [`--image=${IMAGE}`] }]
  const deployment = { metadata: service, spec: { template: { spec: { containers } } } }
  return [
    ...answers,
    { call: 'version', stdout: JSON.stringify({ serverVersion }) },
    list('get mutatingwebhookconfigurations', [
      { metadata: { name: 'of-others' }, webhooks: [{ name: 'a.b.c', clientConfig: {} }] },
      { metadata: { name: 'wimds' }, webhooks },
    ]),
    list('get deployments --namespace=wimds-system', [deployment]),
    { call: 'create --dry-run=server', ...dryRun },
    {
      call: 'get mutatingadmissionpolicies',
      code: 1,
      stderr: `error: the server doesn't have a resource type "mutatingadmissionpolicies"`,
    },
    list('get pods --all-namespaces', pods),
    list('get namespaces --selector=wimds.io/inject=true', named(labelled)),
    list(
      'get namespaces --selector=kubernetes.io/metadata.name notin (kube-system)',
      named(reviewed),
    ),
  ]
}

const named = (names: readonly string[]) => names.map((name) => ({ metadata: { name } }))

async function check(cluster: Cluster) {
  using fake = fakeKubectl(answersOf(cluster))
  return await diagnose(['--cluster'], fake.env)
}

interface PodChanges {
  readonly namespace?: string
  readonly annotations?: object
  readonly labels?: object
  readonly injected?: 'wimds' | 'wimds-gate'
  readonly node?: string
  readonly phase?: string
  readonly isReady?: boolean
}

const pod = (name: string, changes: PodChanges = {}) => {
  const { namespace = 'shop', annotations = {}, labels = {}, injected, node = 'node-1' } = changes
  const { phase, isReady = true } = changes
  return {
    metadata: { name, namespace, annotations, labels },
    spec: {
      nodeName: node,
      containers: [{ name: 'app' }],
      initContainers: injected === undefined ? [] : [{ name: injected }],
    },
    status: { phase, conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] },
  }
}
const ASKS = { 'wimds.io/inject': 'true' }
const CHART = { 'helm.sh/chart': 'wimds-0.2.0' }
const AGENT = { ...CHART, 'app.kubernetes.io/component': 'node-agent' }
const agent = (node: string, isReady: boolean) =>
  pod(`agent-${node}`, { namespace: 'agents', labels: AGENT, node, isReady })

test('passes for an installation without a fault, and changes nothing', async () => {
  const pods = [pod('orders', { annotations: ASKS, injected: 'wimds' })]
  using fake = fakeKubectl(answersOf({ pods }))
  const { code, report } = await diagnose(['--cluster'], fake.env)
  expect(report.checks.map(({ check: name, status }) => `${name}: ${status}`)).toEqual([
    'api_server: ok',
    'installation: ok',
    'webhook: ok',
    'node_agent: not_needed',
    'injected_pods: ok',
  ])
  expect(code).toBe(0)
  const writes = (await fake.calls()).filter((call) => !/^(?:get|version) /.test(call))
  expect(writes).toEqual([expect.stringMatching(/^create --dry-run=server /)])
  const { metadata, spec } = JSON.parse(await fake.inputOf('create --dry-run=server'))
  expect(metadata.namespace).toBe('wimds-system')
  expect(spec.containers).toMatchObject([{ image: IMAGE }])
})

const failing = (text: string) => ({ code: 1, stderr: `Error from server ${text}` })
const UNREAD = `(ServiceUnavailable): error when creating "STDIN": admission webhook "pods.wimds.io" denied the request: wimds could not read the ServiceAccount wimds-system/wimds-test (the API server answered 403 (Forbidden) to read it: serviceaccounts "wimds-test" is forbidden); create the pod again`
const UNTRUSTED = `(InternalError): Internal error occurred: failed calling webhook "pods.wimds.io": failed to call webhook: Post "https://wimds.wimds-system.svc:443/mutate?timeout=5s": tls: failed to verify certificate: x509: certificate signed by unknown authority`
const UNREACHABLE = `(InternalError): Internal error occurred: failed calling webhook "pods.wimds.io": failed to call webhook: Post "https://wimds.wimds-system.svc:443/mutate?timeout=5s": no endpoints available for service "wimds"`

const NO_WEBHOOK = list('get mutatingwebhookconfigurations', [])
const gated = (name: string, node = 'node-1') => pod(name, { injected: 'wimds-gate', node })
/** A pod of another product with a label that the pods of the chart also have. */
const ofOthers = (component: string, node = 'node-1') =>
  pod('orders', { labels: { 'app.kubernetes.io/component': component }, node })

/** The failure, and what the problem and the fix name. */
test.each<[string, Cluster, string, RegExp]>([
  [
    'with a configuration that an uninstall left over',
    { answers: [list('get deployments', [])] },
    'installation: not_installed',
    /kubectl delete mutatingwebhookconfiguration wimds/,
  ],
  [
    'whose webhook may not read ServiceAccounts',
    { dryRun: failing(UNREAD) },
    'webhook: pod_not_admitted',
    /get serviceaccounts \(helm upgrade .*kubectl logs -n wimds-system/,
  ],
  [
    'whose webhook the API server does not reach',
    { dryRun: failing(UNREACHABLE) },
    'webhook: webhook_unavailable',
    /webhook pods\.wimds\.io refuses .*no endpoints available/,
  ],
  [
    'whose certificate the API server does not accept',
    { dryRun: failing(UNTRUSTED) },
    'webhook: webhook_certificate_invalid',
    /certificates\.caBundle/,
  ],
  [
    'whose pods are admitted without the sidecar, since failurePolicy is Ignore',
    { dryRun: { stdout: '{"spec":{}}' }, reviewed: ['wimds-system'] },
    'webhook: webhook_unavailable',
    /^the API server admits a pod of the namespace wimds-system .*Ignore\nsee whether replicas/,
  ],
  [
    'with a pod without a sidecar in a labelled namespace, also if it is another webhook',
    { pods: [ofOthers('webhook')], labelled: ['shop'] },
    'injected_pods: pod_not_injected',
    /shop\/orders\ncreate them again/,
  ],
  [
    'without agents, with a pod of mode node that waits for a node',
    { pods: [gated('waiting', '')] },
    'node_agent: node_agent_not_running',
    /which need one: shop\/waiting\n/,
  ],
  [
    'with pods of mode node whose agent is not ready, or of another product',
    {
      pods: [
        agent('node-1', true),
        agent('node-2', false),
        ofOthers('node-agent', 'node-3'),
        gated('served'),
        gated('lost', 'node-2'),
        gated('alone', 'node-3'),
      ],
    },
    'node_agent: node_agent_not_running',
    /which need one: shop\/lost, shop\/alone\n/,
  ],
])('fails for an installation %s', async (_, cluster, failure, text) => {
  const { code, failures, problems, fixes } = await check(cluster)
  expect({ code, failures }).toEqual({ code: 1, failures: [failure] })
  expect(`${problems[0]?.problem}\n${fixes}`).toMatch(text)
})

test('passes a webhook that rejects the pod itself: it has answered', async () => {
  const denied =
    '(Forbidden): admission webhook "pods.wimds.io" denied the request: wimds cannot be injected: no tenant'
  const { find } = await check({ dryRun: failing(denied) })
  expect(find('webhook')).toMatchObject([
    { status: 'ok', details: [expect.stringMatching(/^answers the API server: .*no tenant$/)] },
  ])
})

test.each([
  ['another webhook refuses the pod', failing(`: admission webhook "x.y" denied the request: no`)],
  ['it does not review this namespace', { stdout: '{"spec":{}}' }],
])('does not judge the webhook if %s', async (_, dryRun) => {
  const { find, code } = await check({ dryRun })
  expect(find('webhook')).toMatchObject([{ status: 'not_checked' }])
  expect(code).toBe(2)
})

test('warns of agents that no pod needs yet', async () => {
  const pods = [agent('node-1', true), agent('node-2', false)]
  const { find } = await check({ pods: [...pods, pod('orders', { injected: 'wimds-gate' })] })
  expect(find('node_agent')).toMatchObject([
    {
      status: 'ok',
      warnings: [
        expect.stringMatching(/^agents are not ready, so new pods .*: agents\/agent-node-2$/),
      ],
    },
  ])
})

test('passes an installation by a policy, which it names', async () => {
  const selector = { matchExpressions: [{ key: 'wimds.io/inject', operator: 'Exists' }] }
  const spec = { matchConstraints: { namespaceSelector: selector } }
  const answers = [
    NO_WEBHOOK,
    list('get mutatingadmissionpolicies', [
      { metadata: { name: 'a' }, spec: { matchConstraints: {} } },
      { metadata: { name: 'wimds' }, spec },
    ]),
    list('get namespaces --selector=wimds.io/inject ', named(['shop'])),
  ]
  const { find, code } = await check({ answers })
  expect(code).toBe(0)
  expect(find('installation')).toMatchObject([
    { details: ['by the MutatingAdmissionPolicy wimds, without a webhook'] },
  ])
})

describe('the check of pods', () => {
  test('advises to install the chart before pods are created again', async () => {
    const pods = [pod('orders', { annotations: ASKS })]
    const { failures, fixes } = await check({ answers: [NO_WEBHOOK], pods })
    expect(failures).toEqual(['installation: not_installed', 'injected_pods: pod_not_injected'])
    expect(fixes).toMatch(/^install the chart, and create them again /m)
  })

  test('warns of pods that can never be injected, and does not advise to create them again', async () => {
    const hostNetwork = pod('net', { annotations: ASKS })
    const mirror = pod('static', { annotations: { 'kubernetes.io/config.mirror': 'x' } })
    const pods = [
      { ...hostNetwork, spec: { ...hostNetwork.spec, hostNetwork: true } },
      mirror,
      pod('dns', { namespace: 'kube-system', annotations: ASKS }),
      pod('orders', { injected: 'wimds' }),
    ]
    const { code, find } = await check({ pods, labelled: ['shop'] })
    expect(code).toBe(0)
    const warnings = find('injected_pods')[0]?.warnings?.join('\n')
    expect(warnings).toMatch(/shop\/net: the pod uses hostNetwork.* Fix: /)
    expect(warnings).toMatch(/shop\/static: a static pod is not changed/)
    expect(warnings).toMatch(
      /kube-system\/dns: the installation leaves out the namespace kube-system/,
    )
  })

  test('leaves out pods that have ended, opted out, or belong to the chart', async () => {
    const pods = [
      pod('ended', { annotations: ASKS, phase: 'Succeeded' }),
      pod('out', { annotations: { 'wimds.io/inject': 'false' } }),
      pod('webhook', { labels: { ...CHART, 'app.kubernetes.io/component': 'webhook' } }),
      agent('node-1', true),
      pod('elsewhere', { namespace: 'plain' }),
    ]
    const { code, find } = await check({ pods, labelled: ['shop', 'agents'] })
    expect(code).toBe(0)
    expect(find('injected_pods')[0]?.warnings).toBeUndefined()
  })
})

test('says which lists may not be read', async () => {
  const forbidden = { code: 1, stderr: 'Error from server (Forbidden): pods is forbidden: no' }
  const answers = [{ call: 'get pods', ...forbidden, stdout: '{"items":[]}' }]
  const { find, code } = await check({ answers })
  const reason = 'kubectl get pods failed: pods is forbidden: no'
  for (const name of ['node_agent', 'injected_pods'] as const) {
    expect(find(name)).toMatchObject([{ status: 'not_checked', reason }])
  }
  expect(code).toBe(2)
})
