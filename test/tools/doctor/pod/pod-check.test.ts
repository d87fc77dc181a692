/** `wimds doctor --pod` before a table of kubectl, and doctor inside in the same process. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inject } from '../../../../src/cluster/injector/inject.ts'
import { INJECTION_DEFAULTS } from '../../../../src/cluster/injector/settings.ts'
import type { RoutingMode } from '../../../../src/lib/sidecar-interface.ts'
import { fakeKubectl, type KubectlAnswer } from '../../../fixtures/kubectl.ts'
import { diagnose, runDoctor, startSidecar } from '../run-doctor.ts'

let served: Awaited<ReturnType<typeof startSidecar>>
beforeAll(async () => {
  served = await startSidecar()
})
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
}

/** Returns an injected pod as the API server has it, with the states of its containers. */
function clusterPod(changes: PodChanges = {}): string {
  const { mode = 'env', containers, phase = 'Running', status } = changes
  const injection = inject({
    pod: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'orders', annotations: { 'wimds.io/inject': 'true' } },
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

async function check(answers: readonly KubectlAnswer[], ...flags: readonly string[]) {
  await using fake = await fakeKubectl(answers)
  const diagnosis = await diagnose(['--pod', 'shop/orders', ...flags], fake.env)
  return { ...diagnosis, calls: await fake.calls() }
}

async function checkText(answers: readonly KubectlAnswer[]) {
  await using fake = await fakeKubectl(answers)
  return await runDoctor(['--pod', 'shop/orders'], fake.env)
}

const GET = 'get pod orders'
const EXEC = 'exec orders --container=wimds -- wimds doctor'

/** Returns the answer of doctor inside the pod, with these changed settings. */
async function answerInside(
  changes: Readonly<Record<string, string>> = {},
  ...flags: readonly string[]
): Promise<KubectlAnswer> {
  const { code, stdout } = await runDoctor(['-o', 'json', ...flags], { ...served.env, ...changes })
  return { call: EXEC, stdout, code }
}

const EMPTY_REPORT = { schemaVersion: 1, version: '9', ok: false, checks: [], settings: [] }

describe('with a running sidecar', () => {
  test('passes, and takes the mode from the pod', async () => {
    const { code, report, calls } = await check([
      { call: GET, stdout: clusterPod() },
      await answerInside(),
    ])
    expect(report).toMatchObject({
      schemaVersion: 1,
      ok: true,
      namespace: 'shop',
      pod: 'orders',
      inside: { ok: true },
    })
    expect(code).toBe(0)
    expect(report.checks.map(({ check: name, status }) => [name, status])).toEqual([
      ['pod', 'ok'],
      ['sidecar_container', 'ok'],
      ['sdk_variables', 'ok'],
    ])
    expect(calls.at(-1)).toBe(`--namespace=shop ${EXEC} --output=json --mode=env`)
  })

  test.each([
    ['an image that sets HTTP_PROXY', 'HTTP_PROXY=http://me:hunter2@proxy', 'failed'],
    [
      'one of two lists',
      'HTTP_PROXY=http://proxy\nNO_PROXY=.svc\nno_proxy=169.254.169.254',
      'failed',
    ],
    ['another NO_PROXY', 'http_proxy=http://proxy\nno_proxy=.svc', 'failed'],
    [
      'NO_PROXY with the address',
      'HTTP_PROXY=http://proxy\nNO_PROXY=.svc,169.254.169.254,127.0.0.1',
      'ok',
    ],
    ['no proxy', 'HTTP_PROXY=\nPATH=/bin', 'ok'],
  ])('reads the environment of the application: %s', async (_, stdout, status) => {
    const { report, find } = await check([
      { call: GET, stdout: clusterPod() },
      { call: 'exec orders --container=app -- env', stdout: `${stdout}\n` },
    ])
    expect(find('application_proxy')).toMatchObject([{ status }])
    expect(JSON.stringify(report)).not.toContain('hunter2')
  })

  test('prints one report, with one verdict', async () => {
    const { code, stdout } = await checkText([
      { call: GET, stdout: clusterPod() },
      await answerInside({ AZURE_CLIENT_ID: '' }),
    ])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^Pod shop\/orders\n {2}✓ pod: exists, in phase Running\n/)
    expect(stdout).toContain('identity_not_found: no identity is configured')
    expect(stdout).toMatch(
      /\n\n✗ 1 check failed: identity\. Not checked: clock, token exchange\.\n$/,
    )
    expect(stdout.match(/check(?:s)? failed|All checks/g)).toHaveLength(1)
  })

  test('says which lines the pod itself reports, and none can imitate another', async () => {
    const inside = {
      ...EMPTY_REPORT,
      version: '9\n✓ All checks passed.',
      checks: [
        {
          check: 'identity\n✓ All checks passed.',
          status: 'failed',
          details: ['d\n✓ All checks passed.'],
          commands: [{ purpose: 'p\n✓ All', command: 'az\n✓ All checks passed.' }],
        },
      ],
      settings: [{ name: 'A', value: 'a\n✓ All checks passed.', source: 'environment' }],
    }
    const { stdout } = await checkText([
      { call: GET, stdout: clusterPod({ phase: 'Running\n✓ All checks passed.' }) },
      { call: EXEC, stdout: JSON.stringify(inside) },
    ])
    expect(stdout).toContain('exists, in phase Running ✓ All checks')
    expect(stdout).toMatch(
      /^Reported by the sidecar of the pod, wimds 9 ✓ All checks passed\..*\n$/m,
    )
    expect(stdout).not.toMatch(/^✓/m)
  })

  test('passes the flags that leave checks out', async () => {
    const inside = await answerInside({}, '--no-exchange')
    const answers = [{ call: GET, stdout: clusterPod() }, inside]
    const { code, calls, find } = await check(answers, '--no-exchange')
    expect(code).toBe(0)
    expect(calls.at(-1)).toContain('--no-exchange')
    expect(find('token_exchange')).toEqual([
      { check: 'token_exchange', status: 'skipped', details: [] },
    ])
  })

  test.each<[string, Omit<KubectlAnswer, 'call'>, string, RegExp]>([
    [
      'may not be entered',
      {
        code: 1,
        stderr:
          'Error from server (Forbidden): pods "orders" is forbidden: User "me" cannot create resource "pods/exec"',
      },
      'kubectl_failed',
      /pods\/exec/,
    ],
    ['prints no report', { stdout: 'hello' }, 'kubectl_failed', /an image of wimds/],
    [
      'prints a report with another section',
      {
        stdout: JSON.stringify({
          ...EMPTY_REPORT,
          checks: [{ check: 'requests', status: 'failed', failure: { code: 'c' } }],
        }),
      },
      'kubectl_failed',
      /an image of wimds/,
    ],
  ])('fails if the container %s', async (_, answer, code, fix) => {
    const { failures, fixes } = await check([
      { call: GET, stdout: clusterPod() },
      { call: EXEC, ...answer },
    ])
    expect(failures).toEqual([`doctor_inside: ${code}`])
    expect(fixes).toMatch(fix)
  })
})

test.each<[string, PodChanges, RegExp, RegExp]>([
  [
    'its image cannot be pulled',
    { sidecar: { state: { waiting: { reason: 'ImagePullBackOff', message: 'no such tag' } } } },
    /is waiting \(ImagePullBackOff: no such tag\)/,
    /image\.repository/,
  ],
  [
    'its ConfigMap is missing',
    {
      sidecar: {
        state: {
          waiting: { reason: 'CreateContainerConfigError', message: 'configmap "x" not found' },
        },
      },
    },
    /configmap "x" not found/,
    /wimds\.io\/config-map/,
  ],
  [
    'its settings are invalid',
    {
      sidecar: {
        state: { waiting: { reason: 'CrashLoopBackOff' } },
        lastState: { terminated: { exitCode: 64, reason: 'Error' } },
      },
    },
    /exit code 64/,
    /kubectl logs --namespace shop orders -c wimds --previous/,
  ],
  [
    'its memory does not suffice',
    {
      sidecar: {
        state: { waiting: { reason: 'CrashLoopBackOff' } },
        lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } },
      },
    },
    /OOMKilled/,
    /memory-limit/,
  ],
  [
    'the pod has no node',
    {
      phase: 'Pending',
      status: {
        initContainerStatuses: [],
        conditions: [{ type: 'PodScheduled', status: 'False', message: '0/3 nodes are available' }],
      },
    },
    /0\/3 nodes are available/,
    /kubectl describe pod/,
  ],
  [
    'the pod has ended',
    { phase: 'Succeeded', sidecar: { state: ENDED } },
    /has ended with the pod \(Succeeded\)/,
    /while the pod is running/,
  ],
])('explains a sidecar that does not run because %s', async (_, changes, message, fix) => {
  const { failures, problems, fixes, find, calls } = await check([
    { call: GET, stdout: clusterPod(changes) },
  ])
  expect(failures).toEqual(['sidecar_container: sidecar_not_running'])
  expect(problems[0]?.problem).toMatch(message)
  expect(fixes).toMatch(fix)
  expect(find('doctor_inside')).toMatchObject([{ status: 'not_checked' }])
  expect(calls).toHaveLength(1)
})

test.each<[string, object, string, RegExp]>([
  [
    'has failed for want of NET_ADMIN',
    {
      state: { waiting: { reason: 'CrashLoopBackOff' } },
      lastState: {
        terminated: { exitCode: 1, reason: 'Error', message: 'nft: Operation not permitted' },
      },
    },
    'failed',
    /capability NET_ADMIN/,
  ],
  ['waits for the sidecar', { state: RUNNING }, 'not_checked', /waits for the sidecar/],
  ['has completed', {}, 'ok', /has completed/],
])('tells that the redirect %s', async (_, redirect, status, expected) => {
  const { find } = await check([{ call: GET, stdout: clusterPod({ mode: 'loopback', redirect }) }])
  expect(find('redirect')).toMatchObject([{ status }])
  expect(JSON.stringify(find('redirect'))).toMatch(expected)
})

/** Returns a pod of mode node on its node, with the state of its gate. */
function podWithGate(state: object, phase = 'Running'): string {
  const status = { initContainerStatuses: [{ name: 'wimds-gate', state }] }
  const pod: { spec: object } = JSON.parse(clusterPod({ mode: 'node', phase, status }))
  return JSON.stringify({ ...pod, spec: { ...pod.spec, nodeName: 'node-1' } })
}

describe('a pod of mode node', () => {
  const AGENTS = '--field-selector=spec.nodeName=node-1'

  test('that waits: names its node, if no agent runs there', async () => {
    const { find, failures, problems, code } = await check([
      { call: GET, stdout: podWithGate(RUNNING, 'Pending') },
      { call: AGENTS, stdout: '{"items":[]}' },
      { call: 'get daemonsets', stdout: '{"items":[]}' },
    ])
    expect(find('gate')).toMatchObject([
      {
        status: 'not_checked',
        reason:
          'wimds-gate is still running: it waits until the broker of its node answers for this pod',
      },
    ])
    expect(failures).toEqual(['node_agent: node_agent_missing'])
    expect(problems[0]?.problem).toContain('the node node-1')
    expect(code).toBe(1)
  })

  test('whose gate has no image', async () => {
    const waiting = { waiting: { reason: 'ImagePullBackOff', message: 'no such tag' } }
    const { failures, fixes } = await check([
      { call: GET, stdout: podWithGate(waiting, 'Pending') },
      { call: AGENTS, stdout: '{"items":[]}' },
      { call: 'get daemonsets', stdout: '{"items":[]}' },
    ])
    expect(failures).toContain('gate: gate_failed')
    expect(fixes).toMatch(/gateImage\.repository/)
  })

  test('that is served: says what cannot be checked without a sidecar', async () => {
    const metadata = { namespace: 'wimds-node-agent', name: 'x' }
    const agent = {
      metadata,
      spec: { containers: [{ name: 'wimds-node-agent' }] },
      status: { containerStatuses: [{ name: 'wimds-node-agent', state: RUNNING }] },
    }
    const { report, code, calls } = await check([
      { call: GET, stdout: podWithGate(ENDED) },
      { call: AGENTS, stdout: JSON.stringify({ items: [agent] }) },
      { call: 'exec orders --container=app -- env', stdout: 'PATH=/bin\n' },
    ])
    expect(report.checks.map(({ check: name, status }) => [name, status])).toEqual([
      ['pod', 'ok'],
      ['gate', 'ok'],
      ['sdk_variables', 'not_needed'],
      ['node_agent', 'ok'],
      ['application_proxy', 'ok'],
      ['doctor_inside', 'not_checked'],
    ])
    expect(code).toBe(2)
    expect(calls.join('\n')).not.toContain('wimds doctor')
  })
})

const app = (name: string, value: string) => [{ name: 'app', env: [{ name, value }] }]

describe('finds variables of the application that', () => {
  test.each<[string, PodChanges, string]>([
    [
      'are missing in mode env',
      { containers: [{ name: 'app', env: [] }, { name: 'worker' }] },
      'sdk_variables_missing',
    ],
    [
      'lead to another port in mode env',
      { containers: app('AZURE_POD_IDENTITY_AUTHORITY_HOST', 'http://127.0.0.1:8001') },
      'sdk_variables_missing',
    ],
  ])('%s', async (_, changes, code) => {
    const { failures } = await check([{ call: GET, stdout: clusterPod(changes) }])
    expect(failures[0]).toBe(`sdk_variables: ${code}`)
  })

  test.each<[string, PodChanges, string]>([
    ['may come from a ConfigMap', { containers: [{ name: 'app', envFrom: [{}] }] }, 'not_checked'],
    ['are not needed in mode nft', { mode: 'nft' }, 'not_needed'],
    [
      'are only missing in the container of a mesh',
      {
        containers: [
          ...app('AZURE_POD_IDENTITY_AUTHORITY_HOST', 'http://127.0.0.1:8000'),
          { name: 'istio-proxy' },
        ],
      },
      'ok',
    ],
  ])('%s', async (_, changes, status) => {
    const { find } = await check([{ call: GET, stdout: clusterPod(changes) }])
    expect(find('sdk_variables')).toMatchObject([{ status }])
  })
})

test.each([
  ['that nothing asked for', {}, /add the annotation wimds\.io\/inject/],
  ['that no webhook injected', { 'wimds.io/inject': 'true' }, /create the pod again/],
])('explains a pod without a sidecar %s', async (_, annotations, fix) => {
  const spec = { containers: [{ name: 'app' }] }
  const pod = { metadata: { annotations }, spec, status: { phase: 'Running' } }
  const { failures, fixes } = await check([{ call: GET, stdout: JSON.stringify(pod) }])
  expect(failures).toEqual(['sidecar_container: pod_not_injected'])
  expect(fixes).toMatch(fix)
})

test.each<[string, Omit<KubectlAnswer, 'call'>, string]>([
  [
    'there is no such pod',
    { code: 1, stderr: 'Error from server (NotFound): pods "orders" not found' },
    'pod_not_found',
  ],
  [
    'the cluster does not answer',
    { code: 1, stderr: 'Unable to connect to the server: dial tcp: i/o timeout' },
    'kubectl_failed',
  ],
])('fails if %s', async (_, answer, code) => {
  const { failures, find } = await check([{ call: GET, ...answer }])
  expect(failures).toEqual([`pod: ${code}`])
  expect(find('doctor_inside')).toMatchObject([{ status: 'not_checked' }])
})

test.each(['--all', 'a/b/c', 'NS/POD', 'shop/', ''])('rejects the name %j', async (name) => {
  const { code, stderr } = await runDoctor([`--pod=${name}`])
  expect(code).toBe(64)
  expect(stderr).toContain('--pod must be NAMESPACE/POD')
})
