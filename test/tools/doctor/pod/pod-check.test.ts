/** `wimds doctor POD` with a fake kubectl, which answers from a table and forwards a port to a sidecar of this process. */
import { createServer } from 'node:http'
import { afterAll, describe, expect, test } from 'vitest'
import { inject } from '../../../../src/injection/injector/inject.ts'
import { INJECTION_DEFAULTS } from '../../../../src/injection/injector/injection-settings.ts'
import type { RoutingMode } from '../../../../src/lib/sidecar-interface.ts'
import { listening } from '../../../fixtures/listening.ts'
import { aStatus } from '../../../fixtures/status.ts'
import { fakeKubectl, type KubectlAnswer } from '../../../fixtures/kubectl.ts'
import { diagnose, runDoctor, startSidecar } from '../run-doctor.ts'

const served = await startSidecar()
afterAll(() => served.stop())

const RUNNING = { running: { startedAt: '2026-01-01T00:00:00Z' } }
const ENDED = { terminated: { exitCode: 0, reason: 'Completed' } }

interface PodChanges {
  readonly mode?: RoutingMode
  readonly containers?: readonly object[]
  readonly phase?: string
  readonly status?: object
  readonly sidecar?: object
  readonly redirect?: object
  readonly annotations?: object
}

/** Returns an injected pod as the API server has it, with the states of its containers. */
function clusterPod(changes: PodChanges = {}): string {
  const { mode = 'env', containers, phase = 'Running', status, annotations } = changes
  const injection = inject({
    pod: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'orders', namespace: 'shop', annotations: { 'wimds.io/inject': 'true' } },
      spec: { containers: [{ name: 'app', image: 'app' }] },
    },
    serviceAccount: { 'azure.workload.identity/tenant-id': served.simulator.tenantId },
    settings: {
      ...INJECTION_DEFAULTS,
      mode,
      image: 'wimds',
      redirectImage: 'redirect',
      gateImage: 'gate',
    },
  })
  if (injection.kind !== 'injected') throw new Error('not injected')
  const { pod } = injection
  return JSON.stringify({
    ...pod,
    metadata: { ...pod.metadata, annotations: { ...pod.metadata?.annotations, ...annotations } },
    ...(containers !== undefined && { spec: { ...pod.spec, containers } }),
    status: {
      phase,
      initContainerStatuses: [
        { name: 'wimds', restartCount: 0, state: RUNNING, ...changes.sidecar },
        { name: 'wimds-redirect', state: ENDED, ...changes.redirect },
      ],
      ...status,
    },
  })
}

async function check(answers: readonly KubectlAnswer[]) {
  using fake = fakeKubectl(answers)
  const diagnosis = await diagnose(['shop/orders'], fake.env)
  return { ...diagnosis, calls: await fake.calls() }
}

const GET = 'get pod orders'
const getPod = (changes?: PodChanges) => ({ call: GET, stdout: clusterPod(changes) })
const FORWARD = '--namespace=shop port-forward orders :9169'

/** The output of kubectl, which forwards a port of the sidecar. */
const forwardTo = (port: number) => ({
  stdout: `Forwarding from 127.0.0.1:${port} -> 9999\n`,
  runsOn: true,
})
const forward = { call: FORWARD, ...forwardTo(served.sidecar.adminPort) }
const requestToken = async (resource: string) => {
  const query = `api-version=2018-02-01&resource=${encodeURIComponent(resource)}`
  const url = `http://127.0.0.1:${served.sidecar.port}/metadata/identity/oauth2/token?${query}`
  await (await fetch(url, { headers: { Metadata: 'true' } })).arrayBuffer()
}

describe('with a running sidecar', () => {
  test('passes if its status has a cached token, and shows its settings', async () => {
    expect((await check([getPod(), forward])).code).toBe(2)
    await requestToken('https://vault.azure.net')
    const { code, report, calls } = await check([getPod(), forward])
    expect(report).toMatchObject({ schemaVersion: 1, ok: true, namespace: 'shop', pod: 'orders' })
    expect(code).toBe(0)
    expect(report.settings).toContainEqual(expect.objectContaining({ name: 'AZURE_CLIENT_ID' }))
    expect(report.checks.map(({ check: name, status }) => [name, status])).toEqual([
      ['pod', 'ok'],
      ['sidecar_container', 'ok'],
      ['sdk_variables', 'ok'],
      ['application_proxy', 'ok'],
      ['identity', 'ok'],
      ['projected_token', 'ok'],
      ['clock', 'ok'],
      ['token_exchange', 'ok'],
      ['requests', 'ok'],
    ])
    expect(calls.at(-1)).toBe(`${FORWARD} --address=127.0.0.1`)
  })

  test.each([
    ['failed', 'HTTP_PROXY=http://me:hunter2@proxy'],
    ['ok', 'HTTP_PROXY=http://proxy\nNO_PROXY=.svc,169.254.169.254,127.0.0.1'],
  ])('finds application_proxy %s for the environment %j', async (status, stdout) => {
    const environment = { call: 'exec orders --container=app -- env', stdout: `${stdout}\n` }
    const { report, find } = await check([getPod(), environment])
    expect(find('application_proxy')).toMatchObject([{ status }])
    expect(JSON.stringify(report)).not.toContain('hunter2')
  })

  test('finds application_proxy failed by the specification of an image without env', async () => {
    const env = [
      { name: 'HTTPS_PROXY', value: 'http://proxy' },
      { name: 'NO_PROXY', value: '169.254.0.0/16,127.0.0.0/8' },
    ]
    const { find } = await check([getPod({ containers: [{ name: 'app', env }] })])
    expect(find('application_proxy')).toMatchObject([
      { failure: { problem: expect.stringMatching(/lacks 127\.0\.0\.1$/) } },
    ])
  })

  test('does not judge a proxy by variables that are not in the specification', async () => {
    const containers = [
      { name: 'app' },
      { name: 'worker', envFrom: [{}] },
      { name: 'other', env: [{ name: 'HTTPS_PROXY', valueFrom: {} }] },
    ]
    const { find } = await check([getPod({ containers })])
    expect(find('application_proxy')).toMatchObject([
      { status: 'not_checked', reason: expect.stringMatching(/: worker, other$/) },
    ])
  })

  test('asks eleven containers without a warning of the runtime', async () => {
    const warnings: string[] = []
    const onWarning = ({ name }: Error) => warnings.push(name)
    process.on('warning', onWarning)
    const containers = Array.from({ length: 11 }, (_, index) => ({ name: `app-${index}` }))
    const { calls } = await check([getPod({ containers })])
    process.off('warning', onWarning)
    expect(calls.filter((call) => call.includes('-- env'))).toHaveLength(11)
    expect(warnings).not.toContain('MaxListenersExceededWarning')
  })

  test('prints no line by which the pod imitates a check', async () => {
    const evil = 'x\n✓ All checks passed.'
    const status = aStatus({
      identities: aStatus().identities.map((each) => ({ ...each, name: evil, tenantId: evil })),
      settings: [{ name: 'A', value: evil, source: 'environment' }],
      warnings: [evil],
    })
    await using admin = await listening(
      createServer((_, reply) => reply.end(JSON.stringify(status))),
    )
    using fake = fakeKubectl([
      getPod({ phase: `Running\n✓ All checks passed.` }),
      { call: FORWARD, ...forwardTo(admin.port) },
    ])
    const { stdout } = await runDoctor(['shop/orders'], fake.env)
    expect(stdout).toContain('exists, in phase Running ✓ All checks')
    expect(stdout).not.toMatch(/^✓/m)
  })

  test.each<[string, Omit<KubectlAnswer, 'call'>, RegExp]>([
    [
      'may not be reached',
      { code: 1, stderr: 'Error from server (Forbidden): pods "orders" is forbidden: no' },
      /^kubectl port-forward orders failed: pods "orders" is forbidden: no$/,
    ],
    ['has no status', forwardTo(served.sidecar.port), /^the sidecar has no status page$/],
  ])(
    'that %s: says what was not checked, and the command that checks it',
    async (_, answer, why) => {
      const { code, find } = await check([getPod(), { call: FORWARD, ...answer }])
      expect(code).toBe(2)
      expect(find('status')).toMatchObject([
        {
          status: 'not_checked',
          reason: expect.stringMatching(why),
          details: [
            'Fix: run the checks inside the pod: kubectl exec --namespace shop orders -c wimds -- wimds doctor',
          ],
        },
      ])
    },
  )

  test('does not ask a sidecar without an admin port for its status', async () => {
    const containers = [{ name: 'app' }]
    const sidecar = { name: 'azwi-proxy', env: [] }
    const pod = JSON.stringify({
      metadata: { name: 'orders', namespace: 'shop' },
      spec: { containers: [...containers, sidecar] },
      status: { containerStatuses: [{ name: 'azwi-proxy', state: RUNNING }] },
    })
    const { find, calls } = await check([{ call: GET, stdout: pod }])
    expect(find('sdk_variables')).toMatchObject([{ status: 'not_needed' }])
    expect(find('status')).toMatchObject([
      {
        reason: 'the sidecar has no admin port',
        details: [expect.stringMatching(/ -c azwi-proxy -- wimds doctor --no-sidecar$/)],
      },
    ])
    expect(calls.some((call) => call.includes('port-forward'))).toBe(false)
  })
})

const waiting = (reason: string, message?: string) => ({ waiting: { reason, message } })
const crashed = (exitCode: number, reason: string, message?: string) => ({
  state: waiting('CrashLoopBackOff'),
  lastState: { terminated: { exitCode, reason, message } },
})
const MISSING = waiting('CreateContainerConfigError', 'configmap "x" not found')
const NO_IMAGE = waiting('ImagePullBackOff', 'no such tag')
const UNSCHEDULED = {
  initContainerStatuses: [],
  conditions: [{ type: 'PodScheduled', status: 'False', message: '0/3 nodes are available' }],
}

test.each<[PodChanges, RegExp, RegExp]>([
  [{ sidecar: { state: NO_IMAGE } }, /\(ImagePullBackOff: no such tag\)/, /^correct the image/],
  [{ sidecar: { state: MISSING } }, /configmap "x" not found/, /wimds\.io\/config-map/],
  [{ sidecar: crashed(64, 'Error') }, /exit code 64/, /kubectl logs .*orders -c wimds$/],
  [{ sidecar: crashed(137, 'OOMKilled') }, /OOMKilled/, /memory-limit/],
  [{ phase: 'Failed', sidecar: { state: ENDED } }, /has ended with the pod$/, /while the pod/],
])('explains a sidecar that does not run: %j', async (changes, message, fix) => {
  const { failures, problems, fixes, find, calls } = await check([getPod(changes)])
  expect(failures).toEqual(['sidecar_container: sidecar_not_running'])
  expect(problems[0]?.problem).toMatch(message)
  expect(fixes).toMatch(fix)
  expect(find('status')).toEqual([])
  expect(calls).toHaveLength(1)
})

test.each<[string, object, RegExp]>([
  ['failed', crashed(1, 'Error', 'nft: Operation not permitted'), /capability NET_ADMIN/],
  ['failed', { state: NO_IMAGE }, /correct the image/],
  ['not_checked', { state: RUNNING }, /waits for the sidecar/],
  ['ok', {}, /has completed/],
])('finds the redirect %s for the status %j', async (status, redirect, expected) => {
  const { find } = await check([getPod({ mode: 'loopback', redirect })])
  expect(find('redirect')).toMatchObject([{ status }])
  expect(JSON.stringify(find('redirect'))).toMatch(expected)
})

interface Agent {
  readonly name?: string
  readonly state?: object
  readonly ready?: boolean
  readonly metadata?: object
  readonly container?: string
  readonly volumes?: readonly object[]
}

/** Returns an agent as the chart creates it, with these changes. */
const agent = ({ name = 'x', state = RUNNING, ready = true, metadata, ...more }: Agent = {}) => {
  const { container = 'wimds-node-agent', volumes = [{ name: 'pods', hostPath: {} }] } = more
  const args = ['node-agent', '--admin-listen=[::]:9999']
  return {
    metadata: { namespace: 'agents', name, ...metadata },
    spec: { nodeName: 'node-1', containers: [{ name: container, args }], volumes },
    status: { containerStatuses: [{ name: container, state, ready }] },
  }
}

const list = (call: string, items: readonly object[]) => ({
  call,
  stdout: JSON.stringify({ items }),
})

const AGENTS =
  '--all-namespaces --selector=app.kubernetes.io/component=node-agent --field-selector=spec.nodeName=node-1'

/** Checks a pod whose gate has this state. `answers` come before the usual answers of kubectl. */
async function checkNode(gate: object, answers: readonly KubectlAnswer[]) {
  const status = { initContainerStatuses: [{ name: 'wimds-gate', state: gate }] }
  const pod: { spec: object } = JSON.parse(clusterPod({ mode: 'node', status }))
  const events = list('get events', [
    { message: 'older' },
    { message: 'no file of it is mounted. Fix: mount it' },
  ])
  const result = await check([
    ...answers,
    { call: GET, stdout: JSON.stringify({ ...pod, spec: { ...pod.spec, nodeName: 'node-1' } }) },
    { call: 'exec orders --container=app -- env', stdout: 'PATH=/bin\n' },
    events,
  ])
  return { ...result, problem: result.problems[0]?.problem, code: result.problems[0]?.code }
}

const FORWARD_AGENT = '--namespace=agents port-forward x :9999 --address=127.0.0.1'

describe('a pod of mode node', () => {
  test('that is served passes with a cached token', async () => {
    await requestToken('https://vault.azure.net')
    const { report } = await checkNode(ENDED, [
      list(AGENTS, [agent()]),
      { call: FORWARD_AGENT, ...forwardTo(served.sidecar.adminPort) },
    ])
    expect(report.checks.slice(0, 6).map(({ check: name }) => name)).toEqual([
      'pod',
      'gate',
      'sdk_variables',
      'application_proxy',
      'node_agent',
      'identity',
    ])
    expect(report.ok).toBe(true)
  })

  test('whose broker does not answer: says what was not checked', async () => {
    const { find, failures } = await checkNode(ENDED, [
      list(AGENTS, [agent()]),
      { call: FORWARD_AGENT, ...forwardTo(1) },
    ])
    expect(failures).toEqual([])
    expect(find('status')).toMatchObject([
      { status: 'not_checked', reason: expect.stringMatching(/ECONNREFUSED/) },
    ])
  })

  test('that waits, or that the broker has lost, has the reason of the last event', async () => {
    const agents = list(AGENTS, [agent()])
    // The port for applications has no such path.
    const lost = { call: FORWARD_AGENT, ...forwardTo(served.sidecar.port) }
    for (const [gate, answers] of [
      [RUNNING, [agents]],
      [ENDED, [agents, lost]],
    ] as const) {
      const { code, problem, calls } = await checkNode(gate, answers)
      expect(code).toBe('pod_not_routed')
      expect(problem).toMatch(
        /agents\/x on the node node-1 does not serve the pod: no file .*: mount it$/,
      )
      expect(calls.at(-1)).toMatch(/ get events .*Object\.name=orders,reason=WimdsNotRouted/)
    }
  })

  const ENDING = { deletionTimestamp: '2026-11-28T09:00:00Z' }
  const CREATING = { waiting: { reason: 'ContainerCreating' } }
  const NEWER = { creationTimestamp: '2026-11-28T02:00:00Z' }

  test.each<[string, Agent, Agent]>([
    ['runs', { metadata: ENDING }, { state: CREATING, metadata: NEWER }],
    ['is not deleted', { ready: false }, { metadata: ENDING }],
    ['is ready', {}, { ready: false, metadata: NEWER }],
    ['is newer', { metadata: NEWER }, {}],
  ])('asks the agent that %s, of two during a rollout', async (_, asked, other) => {
    for (const name of ['a', 'z']) {
      const agents = [agent({ ...asked, name: 'm' }), agent({ ...other, name })]
      const { problem } = await checkNode(RUNNING, [list(AGENTS, agents)])
      expect(problem).toContain('the node agent agents/m ')
    }
  })

  test.each<[string, Agent[], string, RegExp]>([
    [
      'no real one',
      [{ container: 'node-agent' }, { volumes: [] }],
      'node_agent_missing',
      /no node agent runs on the node node-1/,
    ],
    ['one that waits', [{ state: CREATING }], 'node_agent_not_running', /\(ContainerCreating\)$/],
    ['one that is not ready', [{ ready: false }], 'pod_not_routed', /, which is not ready, does/],
  ])('on a node with %s', async (_, agents, code, problem) => {
    const found = await checkNode(RUNNING, [list(AGENTS, agents.map(agent))])
    expect(found).toMatchObject({ code, problem: expect.stringMatching(problem) })
  })

  test('is not checked without a node, or if the agents may not be listed', async () => {
    const forbidden = { call: AGENTS, code: 1, stderr: 'Error from server (Forbidden): no' }
    for (const answers of [[forbidden], [getPod({ mode: 'node' })]]) {
      const { find } = await checkNode(RUNNING, answers)
      expect(find('node_agent')).toMatchObject([{ status: 'not_checked' }])
    }
  })
})

const app = (name: string, value: string) => [{ name: 'app', env: [{ name, value }] }]

const HOST = 'AZURE_POD_IDENTITY_AUTHORITY_HOST'

test.each<[string, PodChanges]>([
  ['failed', { containers: [{ name: 'app', env: [] }, { name: 'worker' }] }],
  ['failed', { containers: app(HOST, 'http://127.0.0.1:8001') }],
  ['not_checked', { containers: [{ name: 'app', envFrom: [{}] }] }],
  ['not_needed', { mode: 'nft' }],
  ['ok', { containers: [...app(HOST, 'http://127.0.0.1:64169'), { name: 'istio-proxy' }] }],
  [
    'ok',
    {
      annotations: { 'wimds.io/skip-containers': 'worker' },
      containers: [
        ...app(HOST, 'http://127.0.0.1:64169'),
        { name: 'worker', env: [{ name: HOST, value: 'http://127.0.0.1:8001' }] },
      ],
    },
  ],
])('finds sdk_variables %s for %j', async (status, changes) => {
  const { find } = await check([getPod(changes)])
  const code = status === 'failed' ? 'sdk_variables_missing' : undefined
  expect(find('sdk_variables')).toMatchObject([{ status, ...(code && { failure: { code } }) }])
})

test('explains a pod without a sidecar', async () => {
  const metadata = { name: 'orders', annotations: { 'wimds.io/inject': 'true' } }
  const spec = { containers: [{ name: 'app' }] }
  const pod = { metadata, spec, status: { phase: 'Running' } }
  const { failures, problems } = await check([{ call: GET, stdout: JSON.stringify(pod) }])
  expect(failures).toEqual(['sidecar_container: pod_not_injected'])
  expect(problems[0]?.problem).toMatch(/has the annotation wimds\.io\/inject$/)
  expect(problems[0]?.fix).toMatch(/^create the pod again/)
})

test.each<[PodChanges, string]>([
  [{ phase: 'Pending', status: UNSCHEDULED }, 'Pending: 0/3 nodes are available'],
  [
    { phase: 'Failed', status: { reason: 'Evicted', message: 'memory: eyJhbGciOiJSUzI1NiJ9.x.y' } },
    'Failed: Evicted: memory: [redacted]',
  ],
])('says why the pod does not run: %j', async (changes, phase) => {
  const { find } = await check([getPod(changes)])
  expect(find('pod')[0]?.details).toEqual([`exists, in phase ${phase}`])
})
