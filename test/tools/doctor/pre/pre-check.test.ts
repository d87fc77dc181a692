/** `wimds doctor --pre` as a process, before a table of kubectl and an issuer behind a proxy. */
import { rm, writeFile, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DoctorReport } from '../../../../src/tools/doctor/doctor-report.ts'
import { inject } from '../../../../src/cluster/injector/inject.ts'
import { INJECTION_DEFAULTS, releaseImages } from '../../../../src/cluster/injector/settings.ts'
import { createCertificateAuthority } from '../../../../src/lib/x509.ts'
import { serve } from '../../../../src/tools/simulator/http/serve.ts'
import { createIssuer, type ClusterIssuer } from '../../../../src/tools/simulator/issuer/issuer.ts'
import { connectProxy, type ConnectProxy } from '../../../sidecar/exchange/connect-proxy.ts'
import { fakeKubectl, type KubectlAnswer } from '../../../fixtures/kubectl.ts'
import { runWimds } from '../../../fixtures/run-program.ts'

const HOST = 'westeurope.oic.prod-aks.example'
const ISSUER = `https://${HOST}/tenant/cluster/`

let published: ClusterIssuer
let other: ClusterIssuer
let proxy: ConnectProxy
let env: Readonly<Record<string, string>>
const resources = new AsyncDisposableStack()
beforeAll(async () => {
  published = await createIssuer(ISSUER)
  other = await createIssuer(ISSUER)
  const authority = await createCertificateAuthority()
  const tls = await authority.issue({ names: [HOST] })
  const running = resources.use(await serve(published.handler, { tls }))
  const routes = { [`${HOST}:443`]: running.port, 'login.microsoftonline.com:443': running.port }
  proxy = resources.use(await connectProxy({ routes }))
  const directory = await mkdtemp(join(tmpdir(), 'wimds-pre-'))
  resources.defer(() => rm(directory, { recursive: true }))
  const caFile = join(directory, 'ca.crt')
  await writeFile(caFile, authority.caPem)
  env = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, WIMDS_CA_FILE: caFile }
})
afterAll(() => resources.disposeAsync())

/** Returns what the API server says of itself at a path. */
async function documentOf(issuer: ClusterIssuer, path: string): Promise<string> {
  const url = new URL(path.replace(/^\//, ''), ISSUER)
  return (await issuer.handler(new Request(url))).text()
}

/** The answers of a cluster for which everything is right. */
async function cluster(signer = published): Promise<KubectlAnswer[]> {
  const version = { gitVersion: 'v1.34.4', major: '1', minor: '34' }
  const labels = { 'pod-security.kubernetes.io/enforce': 'privileged' }
  return [
    { call: 'version', stdout: JSON.stringify({ serverVersion: version }) },
    {
      call: '/.well-known/openid-configuration',
      stdout: await documentOf(signer, '/.well-known/openid-configuration'),
    },
    { call: '/openid/v1/jwks', stdout: await documentOf(signer, '/openid/v1/jwks') },
    { call: 'get namespace shop', stdout: JSON.stringify({ metadata: { labels } }) },
    { call: 'create --dry-run=server', stdout: 'pod/wimds-doctor' },
    { call: 'mutatingwebhookconfigurations', stdout: JSON.stringify({ items: [] }) },
  ]
}

/** Runs it with these answers before the answers of the cluster. */
async function check(answers: readonly KubectlAnswer[] = [], ...flags: readonly string[]) {
  await using fake = await fakeKubectl([...answers, ...(await cluster())])
  const args = ['doctor', '--pre', '-o', 'json', '--namespace=shop', ...flags]
  const { code, stdout } = await runWimds(args, { env: { ...env, ...fake.env } })
  const report: DoctorReport = JSON.parse(stdout)
  return { code, report, calls: await fake.calls() }
}

const statusesOf = ({ checks }: DoctorReport) =>
  checks.map(({ check: name, status }) => [name, status])
const ADMISSION = 'injected_pod'

test('passes for a cluster that is ready, and changes nothing in it', async () => {
  const { code, report, calls } = await check()
  expect(statusesOf(report)).toEqual([
    ['api_server', 'ok'],
    ['issuer', 'ok'],
    ['signing_keys', 'ok'],
    [ADMISSION, 'ok'],
    ['webhook', 'not_needed'],
  ])
  expect({ code, ok: report.ok, schemaVersion: report.schemaVersion }).toEqual({
    code: 0,
    ok: true,
    schemaVersion: 1,
  })
  expect(calls.filter((call) => !/^(?:get|version) /.test(call))).toEqual([
    'create --dry-run=server --output=name --namespace=shop --filename=-',
  ])
})

test('prints the report for people', async () => {
  await using fake = await fakeKubectl(await cluster())
  const { stdout } = await runWimds(['doctor', '--pre', '--namespace=shop', '--mode=env'], {
    env: { ...env, ...fake.env },
  })
  expect(stdout).toMatch(/^Before an installation of wimds .*\n {2}✓ API server: v1\.34\.4\n/)
  expect(stdout).toContain(`✓ issuer: ${ISSUER}\n`)
  expect(stdout).toContain(`${ISSUER}openid/v1/jwks has 1 RSA key\n`)
  expect(stdout).toMatch(/✓ All checks passed\.\n$/)
})

test.each([
  ['env', ['wimds']],
  ['loopback', ['wimds', 'wimds-redirect']],
  ['node', ['wimds']],
])('asks for a pod that is injected in mode %s', async (mode, names) => {
  await using fake = await fakeKubectl(await cluster())
  const args = ['doctor', '--pre', '--namespace=shop', `--mode=${mode}`]
  await runWimds(args, { env: { ...env, ...fake.env } })
  const pod = await fake.inputOf('create --dry-run=server')
  expect(JSON.parse(pod)).toMatchObject({
    kind: 'Pod',
    spec: { initContainers: names.map((name) => ({ name })) },
  })
  // Where the webhook is installed, it leaves this pod as it is.
  const settings = { ...INJECTION_DEFAULTS, ...releaseImages('1.0.0'), injectByDefault: true }
  expect(inject({ pod: JSON.parse(pod), serviceAccount: {}, settings }).kind).toBe('skipped')
})

const discovery = (issuer: string, jwksUri = `${ISSUER}openid/v1/jwks`): KubectlAnswer => ({
  call: '/.well-known/openid-configuration',
  stdout: JSON.stringify({ issuer, jwks_uri: jwksUri }),
})

describe('the issuer', () => {
  test.each([
    'https://kubernetes.default.svc.cluster.local',
    'https://shop-1234.hcp.westeurope.azmk8s.io',
    'http://oidc.example.com',
  ])('fails if it is internal or not https: %s', async (issuer) => {
    const { code, report } = await check([discovery(issuer)])
    expect(report.checks[1]).toMatchObject({
      check: 'issuer',
      status: 'failed',
      failure: {
        code: 'issuer_unreachable',
        problem: expect.stringContaining(
          issuer.startsWith('https:') ? 'is internal to the cluster' : 'is no https:// URL',
        ),
        fix: expect.stringContaining('az aks update --resource-group'),
      },
    })
    expect(code).toBe(1)
  })

  test.each([
    [
      'has a private address',
      'https://10.98.0.1:6443',
      /the address 10\.98\.0\.1 of its host is not public/,
    ],
    ['has a loopback address', 'https://localhost', /of its host is not public/],
  ])('fails if its host %s', async (_, issuer, reason) => {
    await using fake = await fakeKubectl([discovery(issuer), ...(await cluster())])
    const { stdout } = await runWimds(['doctor', '--pre', '-o', 'json'], { env: fake.env })
    const report: DoctorReport = JSON.parse(stdout)
    expect(report.checks[1]).toMatchObject({
      status: 'failed',
      failure: { code: 'issuer_unreachable', problem: expect.stringMatching(reason) },
    })
  })

  test('fails if only its host cannot be reached', async () => {
    const { code, report } = await check([discovery('https://oidc.invalid')])
    expect(report.checks[1]).toMatchObject({
      status: 'failed',
      failure: { code: 'issuer_unreachable' },
    })
    expect(code).toBe(1)
  })

  test('is not checked if this machine does not reach Entra ID either', async () => {
    await using closed = await connectProxy({ routes: {} })
    await using fake = await fakeKubectl(await cluster())
    const { code, stdout } = await runWimds(['doctor', '--pre', '-o', 'json'], {
      env: { ...env, ...fake.env, HTTPS_PROXY: `http://127.0.0.1:${closed.port}` },
    })
    const report: DoctorReport = JSON.parse(stdout)
    expect(report.checks[1]).toMatchObject({
      check: 'issuer',
      status: 'not_checked',
      reason: expect.stringMatching(
        /^this machine reaches neither https:\S+ \(.+\) nor login\.microsoftonline\.com:443 \(.+\)$/,
      ),
      details: [expect.stringMatching(/^Fix: .*HTTPS_PROXY/)],
    })
    expect(code).toBe(2)
  })

  test('fails if its certificate is not trusted', async () => {
    await using fake = await fakeKubectl(await cluster())
    const { stdout } = await runWimds(['doctor', '--pre', '-o', 'json'], {
      env: { ...env, ...fake.env, WIMDS_CA_FILE: '' },
    })
    const report: DoctorReport = JSON.parse(stdout)
    expect(report.checks[1]?.failure?.problem).toMatch(/certificate/)
  })

  test('fails if it serves no discovery document', async () => {
    const { report } = await check([discovery(`https://${HOST}/other`)])
    expect(report.checks[1]).toMatchObject({
      status: 'failed',
      failure: { code: 'issuer_unreachable', problem: expect.stringContaining('it answered 404') },
    })
  })

  test('fails if its document names another, by a trailing slash too', async () => {
    const { report } = await check([discovery(ISSUER.replace(/\/$/, ''))])
    expect(report.checks[1]).toMatchObject({
      status: 'failed',
      failure: { code: 'issuer_mismatch' },
    })
  })

  test('fails if the flag names another than the cluster', async () => {
    const { report } = await check([], '--issuer=https://elsewhere.example/')
    expect(report.checks[1]).toMatchObject({
      status: 'failed',
      failure: { code: 'issuer_mismatch' },
    })
  })

  test('fails if the API server signs with a key that is not published', async () => {
    const { code, report } = await check([
      { call: '/openid/v1/jwks', stdout: await documentOf(other, '/openid/v1/jwks') },
    ])
    expect(statusesOf(report).slice(1, 3)).toEqual([
      ['issuer', 'ok'],
      ['signing_keys', 'failed'],
    ])
    expect(report.checks[2]).toMatchObject({ failure: { code: 'issuer_unreachable' } })
    expect(code).toBe(1)
  })

  const FORBIDDEN = {
    code: 1,
    stderr: 'Error from server (Forbidden): forbidden: User "me" cannot get path',
  }

  test('is not checked without permission to read it, and the flag stands in', async () => {
    const answers = [
      { call: '/.well-known/openid-configuration', ...FORBIDDEN },
      { call: '/openid/v1/jwks', ...FORBIDDEN },
    ]
    const without = await check(answers)
    expect(statusesOf(without.report)[1]).toEqual(['issuer', 'not_checked'])
    expect(without.code).toBe(2)
    const { code, report } = await check(answers, `--issuer=${ISSUER}`)
    expect(statusesOf(report).slice(1, 3)).toEqual([
      ['issuer', 'ok'],
      ['signing_keys', 'not_checked'],
    ])
    expect(code).toBe(2)
  })

  test.each([
    ['lacks jwks_uri', JSON.stringify({ issuer: ISSUER })],
    ['is no JSON object', '[]'],
  ])('is not checked if the document of the API server %s', async (_, stdout) => {
    const answers = [{ call: '/.well-known/openid-configuration', stdout }]
    const { code, report } = await check(answers)
    expect(report.checks.find((finding) => finding.check === 'issuer')).toMatchObject({
      status: 'not_checked',
      reason: 'the discovery document of the API server has no issuer and jwks_uri',
    })
    expect(code).toBe(2)
    expect(statusesOf((await check(answers, `--issuer=${ISSUER}`)).report)[1]).toEqual([
      'issuer',
      'ok',
    ])
  })

  test('is checked without a cluster if the flag names it', async () => {
    const { code, stdout } = await runWimds(
      ['doctor', '--pre', '-o', 'json', `--issuer=${ISSUER}`],
      {
        env: { ...env, PATH: '/nowhere' },
      },
    )
    const report: DoctorReport = JSON.parse(stdout)
    expect(statusesOf(report)).toEqual([
      ['api_server', 'not_checked'],
      ['issuer', 'ok'],
      ['signing_keys', 'not_checked'],
      ['injected_pod', 'not_checked'],
      ['webhook', 'not_checked'],
    ])
    expect(code).toBe(2)
  })
})

test('names kubectl as missing, and everything else as not checked', async () => {
  const { code, stdout } = await runWimds(['doctor', '--pre', '-o', 'json'], {
    env: { PATH: '/nowhere' },
  })
  const report: DoctorReport = JSON.parse(stdout)
  expect(report.checks[0]).toMatchObject({ status: 'failed', failure: { code: 'kubectl_missing' } })
  expect(report.checks.slice(1).every(({ status }) => status === 'not_checked')).toBe(true)
  expect(code).toBe(1)
})

describe('the namespace', () => {
  test.each<[string, KubectlAnswer, string, string]>([
    [
      'refuses the pod by Pod Security',
      {
        call: 'create --dry-run=server',
        code: 1,
        stderr:
          'Error from server (Forbidden): error when creating "STDIN": pods "wimds-doctor" is forbidden: violates PodSecurity "baseline:latest": non-default capabilities',
      },
      'failed',
      'pod_not_admitted',
    ],
    [
      'refuses the pod by a policy',
      {
        call: 'create --dry-run=server',
        code: 1,
        stderr:
          'Error from server: error when creating "STDIN": admission webhook "validation.gatekeeper.sh" denied the request: [no-net-admin]',
      },
      'failed',
      'pod_not_admitted',
    ],
    [
      'may not be asked',
      {
        call: 'create --dry-run=server',
        code: 1,
        stderr:
          'Error from server (Forbidden): pods is forbidden: User "me" cannot create resource "pods"',
      },
      'not_checked',
      '',
    ],
    [
      'does not exist',
      {
        call: 'get namespace shop',
        code: 1,
        stderr: 'Error from server (NotFound): namespaces "shop" not found',
      },
      'not_checked',
      '',
    ],
  ])('%s', async (_, answer, status, code) => {
    const { report } = await check([answer])
    const finding = report.checks.find(({ check: name }) => name === ADMISSION)
    expect(finding?.status).toBe(status)
    expect(finding?.failure?.code ?? '').toBe(code)
  })

  test('shows its Pod Security level', async () => {
    const { report } = await check()
    const finding = report.checks.find(({ check: name }) => name === ADMISSION)
    expect(finding?.details).toContain('its Pod Security level is privileged')
  })
})

test.each([
  ['v1.26.9', '26', 'failed'],
  ['v1.28.3', '28+', 'ok'],
])('judges the API server %s', async (gitVersion, minor, status) => {
  const serverVersion = { gitVersion, major: '1', minor }
  const { report } = await check([{ call: 'version', stdout: JSON.stringify({ serverVersion }) }])
  expect(report.checks[0]).toMatchObject({ check: 'api_server', status })
  expect(report.checks).toHaveLength(5)
})

const webhooks = (caBundle: string, name = 'pods.wimds.io'): KubectlAnswer => ({
  call: 'mutatingwebhookconfigurations',
  stdout: JSON.stringify({
    items: [
      {
        metadata: { name: 'azure-wi-webhook-mutating-webhook-configuration' },
        webhooks: [{ name: 'mutation.azure-workload-identity.io', clientConfig: {} }],
      },
      {
        metadata: { name: 'wimds' },
        webhooks: [
          {
            name,
            failurePolicy: 'Ignore',
            clientConfig: { caBundle, service: { name: 'wimds', namespace: 'wimds' } },
          },
        ],
      },
    ],
  }),
})

describe('the webhook', () => {
  test.each([
    ['is installed', 'LS0t', 'pods.wimds.io', 'ok', ''],
    ['is installed before Kubernetes 1.30', 'LS0t', 'namespace.pods.wimds.io', 'ok', ''],
    ['has no certificate yet', '', 'pods.wimds.io', 'failed', 'webhook_not_ready'],
  ])('%s', async (_, caBundle, name, status, code) => {
    const { report } = await check([webhooks(caBundle, name)])
    const finding = report.checks.at(-1)
    expect({ status: finding?.status, code: finding?.failure?.code ?? '' }).toEqual({
      status,
      code,
    })
    expect(finding?.details.join()).toContain('azure-wi-webhook-mutating-webhook-configuration')
  })
})

test.each([
  [['--pod=a/b'], '--pod or --pre, not both'],
  [['--no-exchange'], '--no-exchange is only for checks of a sidecar'],
])('rejects %j', async (flags, message) => {
  const { code, stderr } = await runWimds(['doctor', '--pre', ...flags], { env: {} })
  expect(code).toBe(64)
  expect(stderr).toContain(message)
})

test.each([['--namespace=x'], ['--issuer=x'], ['--context=x']])(
  'rejects %s without --pre',
  async (flag) => {
    const { code, stderr } = await runWimds(['doctor', flag], { env: {} })
    expect(code).toBe(64)
    expect(stderr).toContain('is only for --pre')
  },
)
