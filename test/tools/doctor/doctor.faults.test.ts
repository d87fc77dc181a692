/** What `wimds doctor` makes of misconfigurations: real processes before a simulated Entra ID. */
import { chmod, realpath, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { CheckName, DoctorReport, Failure } from '../../../src/tools/doctor/doctor-report.ts'
import { BILLING, REPORTS } from '../../../src/tools/simulator/defaults.ts'
import type { FaultInput } from '../../../src/tools/simulator/faults/faults.ts'
import { createSimulator, type Simulator } from '../../../src/tools/simulator/simulator.ts'
import { connectProxy } from '../../sidecar/exchange/connect-proxy.ts'
import { listening } from '../../fixtures/listening.ts'
import { becomeUser, copyCli, runNode, runWimds, scriptOf } from '../../fixtures/run-program.ts'
import { environmentOf, startServe } from '../../fixtures/served.ts'

let simulator: Simulator
let sidecar: Awaited<ReturnType<typeof startServe>>
beforeAll(async () => {
  simulator = await createSimulator()
  sidecar = await startServe(environmentOf(simulator))
  // It reads the projected token some time after it listens.
  await vi.waitUntil(() => sidecar.events().some(({ event }) => event === 'ready'), {
    timeout: 60_000,
  })
})
afterAll(async () => {
  await sidecar.stop()
  await simulator.close()
})

interface Case {
  readonly env?: Readonly<Record<string, string>>
  readonly run?: typeof runDoctor
}

const DOCTOR = ['doctor', '-o', 'json']
const runDoctor = (env: Readonly<Record<string, string>>) => runWimds(DOCTOR, { env })

/** Runs doctor with the settings of the sidecar, changed by the case. */
async function diagnose({ env = {}, run = runDoctor }: Case = {}) {
  const { code, stdout } = await run({
    ...environmentOf(simulator),
    WIMDS_LISTEN: `127.0.0.1:${sidecar.port}`,
    WIMDS_ADMIN_LISTEN: `127.0.0.1:${sidecar.adminPort}`,
    ...env,
  })
  const report: DoctorReport = JSON.parse(stdout)
  const failed = report.checks.filter(({ status }) => status === 'failed')
  return {
    code,
    report,
    /** `check: code` of each failed check. */
    failures: failed.map((each) => `${each.check}: ${each.failure?.code}`),
    problems: failed.flatMap(({ failure }) => failure ?? []),
  }
}

const findingsOf = ({ checks }: DoctorReport, name: CheckName) =>
  checks.filter(({ check }) => check === name)

const fixesOf = (problems: readonly Failure[]) => problems.map(({ fix }) => fix).join('\n')

test('names Prometheus alone for a closed admin port: no probe of the kubelet uses it', async () => {
  const { problems } = await diagnose({ env: { WIMDS_ADMIN_LISTEN: '127.0.0.1:1' } })
  expect(problems[0]?.problem).toMatch(/, so Prometheus cannot scrape it$/)
})

test('passes without a fault, and sends as many exchanges as there are resources', async () => {
  const { code, failures, report } = await diagnose()
  expect({ code, failures, ok: report.ok }).toEqual({ code: 0, failures: [], ok: true })
  expect(new Set(report.checks.map(({ status }) => status))).toEqual(new Set(['ok', 'not_needed']))
})

const AKS_COMMAND =
  'az aks update --resource-group RESOURCE_GROUP --name CLUSTER --enable-oidc-issuer'

test.each<[string, Case, readonly string[], RegExp]>([
  [
    'no sidecar',
    { env: { WIMDS_LISTEN: '127.0.0.1:1' } },
    ['sidecar: sidecar_not_listening'],
    /kubectl exec POD -c wimds/,
  ],
  [
    'a closed admin port',
    { env: { WIMDS_ADMIN_LISTEN: '127.0.0.1:1' } },
    ['admin_port: admin_not_listening'],
    /WIMDS_ADMIN_LISTEN/,
  ],
  [
    'no identity',
    { env: { AZURE_CLIENT_ID: '' } },
    ['identity: identity_not_found'],
    /AZURE_CLIENT_ID/,
  ],
  [
    'nothing configured at all',
    {
      env: { AZURE_CLIENT_ID: '', AZURE_TENANT_ID: '', AZURE_FEDERATED_TOKEN_FILE: '' },
    },
    ['settings: settings_invalid'],
    /docs\/configuration\.md/,
  ],
  [
    'a wrong tenant',
    { env: { AZURE_TENANT_ID: '99999999-9999-4999-8999-999999999999' } },
    ['token_exchange: tenant_refused'],
    /AZURE_TENANT_ID/,
  ],
  [
    'an identity without federated credentials',
    { env: { AZURE_CLIENT_ID: REPORTS.clientId } },
    ['token_exchange: federated_credential_not_found'],
    /create a federated credential/,
  ],
  [
    'the federated credential of another service account',
    { env: { AZURE_CLIENT_ID: BILLING.clientId } },
    ['token_exchange: federated_credential_not_found'],
    /create a federated credential with subject system:serviceaccount:\w+:\w+, or run/,
  ],
  [
    'a client id that the tenant does not know',
    { env: { AZURE_CLIENT_ID: '99999999-9999-4999-8999-999999999999' } },
    ['token_exchange: application_refused'],
    /client id, not the object id/,
  ],
  [
    'another audience in WIMDS_AUDIENCE',
    { env: { WIMDS_AUDIENCE: 'api://other' } },
    ['projected_token: assertion_audience'],
    /projected volume to api:\/\/other/,
  ],
  [
    'a token file that is not there',
    { env: { AZURE_FEDERATED_TOKEN_FILE: '/no/token' } },
    ['projected_token: assertion_missing'],
    /mount a projected service-account token/,
  ],
  [
    'a login host without DNS',
    { env: { AZURE_AUTHORITY_HOST: 'https://login.invalid' } },
    ['connectivity: entra_unreachable', 'token_exchange: entra_unreachable'],
    /check DNS/,
  ],
  [
    'a CA that is not trusted, as that of a proxy that intercepts TLS',
    { env: { WIMDS_CA_FILE: '' } },
    ['connectivity: entra_tls', 'token_exchange: entra_tls'],
    /WIMDS_CA_FILE/,
  ],
])('names %s and its fix', async (_, given, expected, fix) => {
  const { code, failures, problems } = await diagnose(given)
  expect(failures).toEqual(expected)
  expect(code).toBe(1)
  expect(fixesOf(problems)).toMatch(fix)
  for (const { url } of problems) expect(url).toMatch(/\/docs\/troubleshooting\.md#\w+$/)
})

test.each<[string, Parameters<Simulator['rotateToken']>[0], string]>([
  [
    'the default service-account token',
    { audience: 'https://kubernetes.default.svc.cluster.local' },
    'assertion_audience',
  ],
  [
    'the default service-account token of AKS',
    { audience: 'https://shop-1234.hcp.westeurope.azmk8s.io' },
    'assertion_audience',
  ],
  [
    'the token of an internal issuer',
    { claims: { iss: 'https://kubernetes.default.svc.cluster.local' } },
    'issuer_unreachable',
  ],
])('names %s, and prints no federated credential, which would not help', async (...given) => {
  const [, token, name] = given
  await simulator.rotateToken(token)
  try {
    const { code, failures, problems, report } = await diagnose()
    expect({ code, failures }).toEqual({ code: 1, failures: [`projected_token: ${name}`] })
    expect(fixesOf(problems)).toContain(AKS_COMMAND)
    expect(JSON.stringify(report)).not.toContain('federated-credential')
    expect(findingsOf(report, 'token_exchange')).toMatchObject([
      { reason: expect.stringContaining(name) },
    ])
  } finally {
    await simulator.rotateToken()
  }
})

const now = Math.floor(Date.now() / 1000)

test.each<[string, Parameters<Simulator['rotateToken']>[0], readonly string[], string]>([
  [
    'a token for another audience',
    { audience: 'vault' },
    ['token_exchange: federated_credential_mismatch'],
    'correct it in the projected volume',
  ],
  [
    'an expired token',
    { claims: { iat: now - 7200, nbf: now - 7200, exp: now - 3600 } },
    ['projected_token: assertion_expired'],
    'projected volume',
  ],
])('names %s and its fix', async (_, token, expected, fix) => {
  await simulator.rotateToken(token)
  try {
    const { code, failures, problems } = await diagnose()
    expect({ code, failures }).toEqual({ code: 1, failures: expected })
    expect(fixesOf(problems)).toContain(fix)
  } finally {
    await simulator.rotateToken()
  }
})

test.each<[string, Case, readonly string[], string]>([
  [
    'no federated credential for it, the expiry alone',
    { env: { AZURE_CLIENT_ID: REPORTS.clientId } },
    [],
    'not_checked',
  ],
  [
    'an unknown tenant, both',
    { env: { AZURE_TENANT_ID: '99999999-9999-4999-8999-999999999999' } },
    ['token_exchange: tenant_refused'],
    'failed',
  ],
])('names of an expired token and %s', async (_, given, others, status) => {
  await simulator.rotateToken({ claims: { iat: now - 7200, nbf: now - 7200, exp: now - 3600 } })
  try {
    const { failures, problems, report } = await diagnose(given)
    expect(failures).toEqual(['projected_token: assertion_expired', ...others])
    expect(fixesOf(problems)).not.toContain('create a federated credential')
    expect(findingsOf(report, 'token_exchange')).toMatchObject([{ status }])
  } finally {
    await simulator.rotateToken()
  }
})

test.skipIf(process.getuid?.() !== 0)(
  'names a token file that the user of the sidecar may not read',
  async () => {
    const file = await realpath(simulator.tokenFile)
    await chmod(dirname(simulator.caFile), 0o755)
    await chmod(file, 0o600)
    try {
      await using copy = await copyCli()
      const script = becomeUser(1501) + scriptOf(copy.cli, DOCTOR)
      const run = (env: Readonly<Record<string, string>>) => runNode(['-e', script], env)
      const { code, failures, problems } = await diagnose({ run })
      expect(failures).toEqual(['projected_token: assertion_unreadable'])
      expect(code).toBe(1)
      expect(problems[0]?.problem).toMatch(
        /has the mode 600 and belongs to uid 0 and gid 0, and this process has uid 1501/,
      )
      expect(fixesOf(problems)).toMatch(/defaultMode.*fsGroup/)
    } finally {
      await chmod(file, 0o644)
    }
  },
)

test('names another program on the port of the sidecar', async () => {
  await using other = await listening(createServer((_, reply) => reply.end('hello')))
  const { code, failures, problems } = await diagnose({
    env: { WIMDS_LISTEN: `127.0.0.1:${other.port}` },
  })
  expect(failures).toEqual(['sidecar: listen_failed'])
  expect(code).toBe(1)
  expect(fixesOf(problems)).toMatch(/wimds\.io\/port/)
})

test.each<[string, FaultInput, readonly string[], RegExp]>([
  [
    'a clock that is far off',
    { kind: 'clock', offsetMs: 20 * 60_000 },
    ['clock: clock_skew'],
    /synchronize the clock/,
  ],
  [
    'a captive portal',
    { kind: 'status', status: 200, body: '<html>Welcome</html>', contentType: 'text/html' },
    ['token_exchange: entra_bad_response'],
    /proxy between the pod and the login host/,
  ],
  [
    'a firewall that drops what it does not know',
    { kind: 'hang' },
    ['token_exchange: entra_timeout'],
    /firewall/,
  ],
])('names %s and its fix', async (_, fault, expected, fix) => {
  simulator.faults.add(fault)
  try {
    const { code, failures, problems } = await diagnose({ env: { WIMDS_EXCHANGE_TIMEOUT: '2s' } })
    expect(failures).toEqual(expected)
    expect(code).toBe(1)
    expect(fixesOf(problems)).toMatch(fix)
  } finally {
    simulator.faults.clear()
  }
})

test('names a proxy that does not open a tunnel to the login host', async () => {
  await using proxy = await connectProxy({ routes: {} })
  const { code, failures, problems } = await diagnose({
    env: {
      AZURE_AUTHORITY_HOST: 'https://login.entra.example',
      HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
    },
  })
  expect(failures).toEqual(['connectivity: entra_unreachable', 'token_exchange: entra_unreachable'])
  expect(code).toBe(1)
  expect(fixesOf(problems)).toMatch(/HTTPS_PROXY/)
})

test('names the login host of another cloud', async () => {
  const host = 'login.microsoftonline.us'
  await using government = await createSimulator({
    names: [host],
    directory: () => ({
      tenants: [{ id: '77777777-7777-4777-8777-777777777777', name: 'Government' }],
      applications: [],
    }),
  })
  const port = Number(new URL(government.authorityHost).port)
  await using proxy = await connectProxy({ routes: { [`${host}:443`]: port } })
  const { code, failures, problems, report } = await diagnose({
    env: {
      AZURE_AUTHORITY_HOST: `https://${host}`,
      WIMDS_CA_FILE: government.caFile,
      HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
    },
  })
  expect(failures).toEqual(['token_exchange: tenant_refused'])
  expect(code).toBe(1)
  expect(fixesOf(problems)).toMatch(/AZURE_AUTHORITY_HOST/)
  expect(findingsOf(report, 'projected_token')[0]?.warnings?.join()).toMatch(
    /api:\/\/AzureADTokenExchangeUSGov/,
  )
})

test('names each problem of an identities file with its line', async () => {
  const file = join(dirname(simulator.caFile), 'broken.yaml')
  await writeFile(file, 'identities:\n  - name: orders\n    clientID: nonsense\n')
  const { code, failures, report } = await diagnose({ env: { WIMDS_CONFIG: file } })
  expect(failures).toEqual(['settings: settings_invalid'])
  expect(code).toBe(1)
  expect(findingsOf(report, 'settings')[0]?.details.join('\n')).toMatch(
    /broken\.yaml.*(?:clientID|3)/,
  )
  expect(report.checks).toContainEqual({
    check: 'token_exchange',
    status: 'not_checked',
    reason: 'the settings are invalid',
    details: [],
  })
})

test('is neither right nor wrong about a route whose mode is not known', async () => {
  const { code, failures, report } = await diagnose({ env: { WIMDS_MODE: '' } })
  expect({ code, failures, ok: report.ok }).toEqual({ code: 2, failures: [], ok: false })
  expect(report.checks.find(({ check }) => check === 'route')).toMatchObject({
    status: 'not_checked',
    details: [expect.stringMatching(/^Fix: .*--mode env/)],
  })
})
