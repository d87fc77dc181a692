import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DoctorReport } from '../../../../src/tools/doctor/doctor-report.ts'
import { inject } from '../../../../src/cluster/injector/inject.ts'
import { INJECTION_DEFAULTS } from '../../../../src/cluster/injector/settings.ts'
import type { RoutingMode } from '../../../../src/lib/sidecar-interface.ts'
import { createSimulator, type Simulator } from '../../../../src/tools/simulator/simulator.ts'
import { fakeKubectl, type KubectlAnswer } from '../../../fixtures/kubectl.ts'
import { runWimds } from '../../../fixtures/run-program.ts'
import { environmentOf, startServe } from '../../../fixtures/served.ts'

let simulator: Simulator
let sidecar: Awaited<ReturnType<typeof startServe>>
let sidecarEnv: Readonly<Record<string, string>>
beforeAll(async () => {
  simulator = await createSimulator()
  sidecar = await startServe(environmentOf(simulator))
  sidecarEnv = {
    ...environmentOf(simulator),
    WIMDS_LISTEN: `127.0.0.1:${sidecar.port}`,
    WIMDS_ADMIN_LISTEN: `127.0.0.1:${sidecar.adminPort}`,
  }
})
afterAll(async () => {
  await sidecar.stop()
  await simulator.close()
})

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
    serviceAccount: { 'azure.workload.identity/tenant-id': simulator.tenantId },
    settings: { ...INJECTION_DEFAULTS, mode, image: 'wimds', redirectImage: 'redirect' },
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

function onNode(pod: string, nodeName: string): string {
  const object: { spec: object } = JSON.parse(pod)
  return JSON.stringify({ ...object, spec: { ...object.spec, nodeName } })
}

async function check(answers: readonly KubectlAnswer[], ...flags: readonly string[]) {
  await using fake = await fakeKubectl(answers)
  const args = ['doctor', '--pod', 'shop/orders', '-o', 'json', ...flags]
  const { code, stdout } = await runWimds(args, { env: fake.env })
  const report: DoctorReport = JSON.parse(stdout)
  return { code, report, calls: await fake.calls() }
}

/** Returns the finding of a check from outside. */
const findingOf = (report: DoctorReport, check_: string) =>
  report.checks.find(({ check: name }) => name === check_)

const GET = 'get pod orders --namespace shop'
const EXEC = 'exec orders --namespace shop --container=wimds -- wimds doctor'

const EMPTY_REPORT: DoctorReport = {
  schemaVersion: 1,
  version: '9',
  ok: false,
  checks: [],
  settings: [],
}

describe('with a running sidecar', () => {
  test('passes, and takes the mode from the pod', async () => {
    const { code, report, calls } = await check([
      { call: GET, stdout: clusterPod() },
      { call: EXEC, runsWimdsWith: { ...sidecarEnv, WIMDS_MODE: '' } },
    ])
    expect(report).toMatchObject({
      schemaVersion: 1,
      ok: true,
      namespace: 'shop',
      pod: 'orders',
      inside: { ok: true },
    })
    expect(report.inside?.checks.find(({ check: name }) => name === 'route')).toMatchObject({
      status: 'not_needed',
    })
    expect(code).toBe(0)
    expect(report.checks.map(({ check: name, status }) => [name, status])).toEqual([
      ['pod', 'ok'],
      ['sidecar_container', 'ok'],
      ['sdk_variables', 'ok'],
    ])
    expect(calls.at(-1)).toBe(`${EXEC} --output=json --mode=env`)
  })

  test.each([
    ['an image that sets HTTP_PROXY', 'HTTP_PROXY=http://me:hunter2@proxy', 1, 'failed'],
    [
      'one of two lists',
      'HTTP_PROXY=http://proxy\nNO_PROXY=.svc\nno_proxy=169.254.169.254',
      1,
      'failed',
    ],
    ['another NO_PROXY', 'http_proxy=http://proxy\nno_proxy=.svc', 1, 'failed'],
    [
      'NO_PROXY with the address',
      'HTTP_PROXY=http://proxy\nNO_PROXY=.svc,169.254.169.254,127.0.0.1',
      0,
      'ok',
    ],
    ['no proxy', 'HTTP_PROXY=\nPATH=/bin', 0, 'ok'],
  ])('reads the environment of the application: %s', async (_, stdout, expected, status) => {
    const { code, report } = await check([
      { call: GET, stdout: clusterPod() },
      { call: 'exec orders --namespace shop --container=app -- env', stdout: `${stdout}\n` },
      { call: EXEC, runsWimdsWith: sidecarEnv },
    ])
    expect(findingOf(report, 'application_proxy')?.status).toBe(status)
    expect(JSON.stringify(report)).not.toContain('hunter2')
    expect(code).toBe(expected)
  })

  test('prints one report, with one verdict', async () => {
    await using fake = await fakeKubectl([
      { call: GET, stdout: clusterPod() },
      { call: EXEC, runsWimdsWith: { ...sidecarEnv, AZURE_CLIENT_ID: '' } },
    ])
    const { code, stdout } = await runWimds(['doctor', '--pod', 'shop/orders'], { env: fake.env })
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
    const value = 'http://e\n✓ All checks passed.'
    const app = { name: 'app', env: [{ name: 'AZURE_POD_IDENTITY_AUTHORITY_HOST', value }] }
    await using fake = await fakeKubectl([
      { call: GET, stdout: clusterPod({ containers: [app] }) },
      { call: EXEC, stdout: JSON.stringify(inside) },
    ])
    const { stdout } = await runWimds(['doctor', '--pod', 'shop/orders'], { env: fake.env })
    expect(stdout).toContain('AZURE_POD_IDENTITY_AUTHORITY_HOST=http://e ✓ All checks')
    expect(stdout).toMatch(
      /^Reported by the sidecar of the pod, wimds 9 ✓ All checks passed\..*\n$/m,
    )
    expect(stdout).not.toMatch(/^✓/m)
  })

  test('passes the flags that leave checks out', async () => {
    const { code, calls, report } = await check(
      [
        { call: GET, stdout: clusterPod() },
        { call: EXEC, runsWimdsWith: sidecarEnv },
      ],
      '--no-exchange',
    )
    expect(code).toBe(0)
    expect(calls.at(-1)).toContain('--no-exchange')
    expect(report.inside?.checks).toContainEqual({
      check: 'token_exchange',
      status: 'skipped',
      details: [],
    })
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
    [
      'has the image of something else',
      { code: 126, stderr: 'exec: "wimds": executable file not found in $PATH: unknown' },
      'pod_not_injected',
      /image of the sidecar/,
    ],
    [
      'has no memory for it',
      { code: 137, stderr: 'command terminated with exit code 137' },
      'kubectl_failed',
      /wimds\.io\/memory-limit/,
    ],
    ['prints no report', { stdout: 'hello' }, 'kubectl_failed', /version of the sidecar/],
    [
      'prints a report with another section',
      {
        stdout: JSON.stringify({
          ...EMPTY_REPORT,
          checks: [{ check: 'requests', status: 'failed', failure: { code: 'c' } }],
        }),
      },
      'kubectl_failed',
      /version of the sidecar/,
    ],
  ])('fails if the container %s', async (_, answer, code, fix) => {
    const { report } = await check([
      { call: GET, stdout: clusterPod() },
      { call: EXEC, ...answer },
    ])
    expect(findingOf(report, 'doctor_inside')).toMatchObject({
      status: 'failed',
      failure: { code, fix: expect.stringMatching(fix) },
    })
    expect(report.ok).toBe(false)
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
  const { code, report, calls } = await check([{ call: GET, stdout: clusterPod(changes) }])
  expect(findingOf(report, 'sidecar_container')).toMatchObject({
    status: 'failed',
    failure: {
      code: 'sidecar_not_running',
      problem: expect.stringMatching(message),
      fix: expect.stringMatching(fix),
    },
  })
  expect(findingOf(report, 'doctor_inside')).toMatchObject({ status: 'not_checked' })
  expect(code).toBe(1)
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
  const { report } = await check([
    { call: GET, stdout: clusterPod({ mode: 'loopback', redirect }) },
  ])
  const finding = findingOf(report, 'redirect')
  expect(finding?.status).toBe(status)
  expect(JSON.stringify(finding)).toMatch(expected)
})

describe('in mode node', () => {
  const AGENTS = 'get pods --all-namespaces --selector=app.kubernetes.io/component=node-agent'

  test('says that no agent runs on the node of a pod that waits, inside and outside', async () => {
    const pod = clusterPod({ mode: 'node', phase: 'Pending', sidecar: { started: false } })
    const { code, report } = await check([
      { call: GET, stdout: onNode(pod, 'node-1') },
      { call: `${AGENTS} --field-selector=spec.nodeName=node-1`, stdout: '{"items":[]}' },
      { call: 'get daemonsets', stdout: '{"items":[]}' },
      { call: EXEC, runsWimdsWith: { ...sidecarEnv, WIMDS_NODE_NAME: 'node-1' } },
    ])
    expect(code).toBe(1)
    expect(findingOf(report, 'node_agent')).toMatchObject({
      status: 'failed',
      failure: { code: 'node_agent_missing', problem: expect.stringContaining('the node node-1') },
    })
    expect(report.inside?.checks.find(({ check: name }) => name === 'route')).toMatchObject({
      status: 'failed',
      failure: { problem: expect.stringContaining('no node agent on node-1 has routed this pod') },
    })
  })

  test('needs no agent for a pod that was routed', async () => {
    const pod = clusterPod({ mode: 'node', sidecar: { started: true } })
    const { report, calls } = await check([
      { call: GET, stdout: onNode(pod, 'node-1') },
      { call: EXEC, runsWimdsWith: { ...sidecarEnv, WIMDS_NODE_NAME: 'node-1' } },
    ])
    expect(findingOf(report, 'node_agent')).toMatchObject({ status: 'not_needed' })
    expect(calls).toHaveLength(3)
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
      'lead to another port',
      { containers: app('AZURE_POD_IDENTITY_AUTHORITY_HOST', 'http://127.0.0.1:8001') },
      'sdk_variables_conflict',
    ],
    [
      'have a path that the sidecar does not serve',
      { containers: app('MSI_ENDPOINT', 'http://127.0.0.1:8000/msi') },
      'sdk_variables_conflict',
    ],
    [
      'need a secret that the sidecar does not have',
      { containers: app('MSI_ENDPOINT', 'http://127.0.0.1:8000/msi/token') },
      'sdk_variables_conflict',
    ],
    [
      'select Azure Arc',
      { mode: 'loopback', containers: app('IMDS_ENDPOINT', 'http://localhost:40342') },
      'sdk_variables_conflict',
    ],
    [
      'lead to App Service in mode loopback',
      { mode: 'loopback', containers: app('IDENTITY_ENDPOINT', 'http://172.16.1.2:8081/msi') },
      'sdk_variables_conflict',
    ],
  ])('%s', async (_, changes, code) => {
    const { report } = await check([{ call: GET, stdout: clusterPod(changes) }])
    expect(findingOf(report, 'sdk_variables')).toMatchObject({
      status: 'failed',
      failure: { code },
    })
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
    const { report } = await check([{ call: GET, stdout: clusterPod(changes) }])
    expect(findingOf(report, 'sdk_variables')?.status).toBe(status)
  })
})

const podWith = (annotations: Readonly<Record<string, string>>) =>
  JSON.stringify({
    metadata: { annotations },
    spec: { containers: [{ name: 'app' }] },
    status: { phase: 'Running' },
  })

describe('explains a pod without a sidecar', () => {
  test.each([
    ['that nobody asked for', {}, /add the annotation wimds\.io\/inject/],
    ['that no webhook injected', { 'wimds.io/inject': 'true' }, /create the pod again/],
  ])('%s', async (_, annotations, fix) => {
    const { report, code } = await check([{ call: GET, stdout: podWith(annotations) }])
    expect(findingOf(report, 'sidecar_container')).toMatchObject({
      status: 'failed',
      failure: { code: 'pod_not_injected', fix: expect.stringMatching(fix) },
    })
    expect(code).toBe(1)
  })
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
  const { report } = await check([{ call: GET, ...answer }])
  expect(report.checks).toMatchObject([
    { check: 'pod', status: 'failed', failure: { code } },
    { check: 'doctor_inside', status: 'not_checked' },
  ])
})

test.each(['--all', 'a/b/c', 'NS/POD', 'shop/', ''])('rejects the name %j', async (name) => {
  const { code, stderr } = await runWimds(['doctor', `--pod=${name}`], { env: {} })
  expect(code).toBe(64)
  expect(stderr).toContain('--pod must be NAMESPACE/POD')
})
