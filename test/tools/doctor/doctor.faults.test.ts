/** What `wimds doctor` makes of misconfigurations: each fault by its code, with its fix. */
import { chmod, readFile, realpath, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { BILLING, REPORTS } from '../../../src/tools/simulator/defaults.ts'
import type { FaultInput } from '../../../src/tools/simulator/faults/faults.ts'
import { createSimulator, type Simulator } from '../../../src/tools/simulator/simulator.ts'
import { listening } from '../../fixtures/listening.ts'
import { becomeUser, copyCli, runNode, scriptOf } from '../../fixtures/run-program.ts'
import { environmentOf, startServe } from '../../fixtures/served.ts'
import { connectProxy } from '../../broker/exchange/connect-proxy.ts'
import { diagnose, readReport, startSidecar } from './run-doctor.ts'

let served: Awaited<ReturnType<typeof startSidecar>>
let simulator: Simulator
beforeAll(async () => {
  served = await startSidecar()
  simulator = served.simulator
  // It reads the projected token some time after it listens.
  await vi.waitUntil(() => served.sidecar.events().some(({ event }) => event === 'ready'), {
    timeout: 60_000,
  })
})
afterAll(() => served.stop())

type Env = Readonly<Record<string, string>>
type Token = Parameters<Simulator['rotateToken']>[0]

/** Runs doctor with the settings of the sidecar, changed by `env`. */
const check = (env: Env = {}, ...args: readonly string[]) =>
  diagnose(args, { ...served.env, ...env })

/** Runs it with another projected token. */
async function checkToken(token: Token, env?: Env) {
  await simulator.rotateToken(token)
  try {
    return await check(env)
  } finally {
    await simulator.rotateToken()
  }
}

const UNKNOWN = '99999999-9999-4999-8999-999999999999'

const NOTHING = { AZURE_CLIENT_ID: '', AZURE_TENANT_ID: '', AZURE_FEDERATED_TOKEN_FILE: '' }
const OTHER_SUBJECT = /federated credential with subject system:serviceaccount:\w+:\w+, or run/

test.each<[string, Env, RegExp]>([
  ['sidecar: sidecar_not_listening', { WIMDS_LISTEN: '127.0.0.1:1' }, /kubectl exec POD -c wimds/],
  ['identity: identity_not_found', { AZURE_CLIENT_ID: '' }, /AZURE_CLIENT_ID/],
  ['settings: settings_invalid', NOTHING, /\/configuration\.html$/],
  ['token_exchange: tenant_refused', { AZURE_TENANT_ID: UNKNOWN }, /AZURE_TENANT_ID/],
  [
    'token_exchange: federated_credential_not_found',
    { AZURE_CLIENT_ID: BILLING.clientId },
    OTHER_SUBJECT,
  ],
  [
    'token_exchange: application_refused',
    { AZURE_CLIENT_ID: UNKNOWN },
    /client id, not the object id/,
  ],
  [
    'projected_token: assertion_audience',
    { WIMDS_AUDIENCE: 'api://other' },
    /projected volume to api:\/\/other/,
  ],
])('finds %s with %j, and its fix', async (expected, env, fix) => {
  const { code, failures, fixes, problems } = await check(env)
  expect({ code, failures }).toEqual({ code: 1, failures: [expected] })
  expect(fixes).toMatch(fix)
  for (const { url } of problems) expect(url).toMatch(/\/(?:troubleshooting|aadsts)\.html#\w+$/)
})

test('names a sidecar that is not ready, and why', async () => {
  await using other = await startServe({
    ...environmentOf(simulator),
    AZURE_FEDERATED_TOKEN_FILE: '/no/token',
  })
  const { failures, problems } = await check({
    WIMDS_LISTEN: `127.0.0.1:${other.port}`,
    WIMDS_ADMIN_LISTEN: `127.0.0.1:${other.adminPort}`,
  })
  expect(failures).toEqual(['sidecar: sidecar_not_ready'])
  expect(problems[0]?.problem).toMatch(/ is not ready(?:; .+)?$/)
})

test('passes without an identity if requests name their client id', async () => {
  const env = { AZURE_CLIENT_ID: '', WIMDS_UNLISTED_CLIENT_IDS: 'allow' }
  await using other = await startServe({ ...environmentOf(simulator), ...env })
  const query = `api-version=2018-02-01&resource=a&client_id=${simulator.clientId}`
  const url = `http://127.0.0.1:${other.port}/metadata/identity/oauth2/token?${query}`
  await (await fetch(url, { headers: { metadata: 'true' } })).arrayBuffer()
  const { find } = await check({
    ...env,
    WIMDS_LISTEN: `127.0.0.1:${other.port}`,
    WIMDS_ADMIN_LISTEN: `127.0.0.1:${other.adminPort}`,
  })
  expect(find('identity')).toMatchObject([{ status: 'ok' }])
})

test('says that the admin port of the sidecar does not answer, and what to correct', async () => {
  const { code, find } = await check({ WIMDS_ADMIN_LISTEN: '127.0.0.1:1' })
  expect(code).toBe(2)
  expect(find('requests')).toMatchObject([
    {
      status: 'not_checked',
      reason: expect.stringContaining('127.0.0.1:1/status.json does not answer'),
      details: [expect.stringMatching(/^Fix: run doctor with the WIMDS_ADMIN_LISTEN of/)],
    },
  ])
})

test('names another program on the port of the sidecar', async () => {
  await using other = await listening(createServer((_, reply) => reply.end('hello')))
  const { failures, problems } = await check({ WIMDS_LISTEN: `127.0.0.1:${other.port}` })
  expect(failures).toEqual(['sidecar: sidecar_not_listening'])
  expect(problems[0]?.problem).toMatch(/another program answered 200/)
})

test('names each problem of an identities file with its line', async () => {
  const file = join(dirname(simulator.caFile), 'broken.yaml')
  await writeFile(file, 'identities:\n  - name: orders\n    clientID: nonsense\n')
  const { failures, find } = await check({ WIMDS_CONFIG: file })
  expect(failures).toEqual(['settings: settings_invalid'])
  expect(find('settings')[0]?.details.join('\n')).toMatch(/broken\.yaml.*(?:clientID|3)/)
})

test('is neither right nor wrong about a route whose mode is not known', async () => {
  const { code, failures, find } = await check({ WIMDS_MODE: '' })
  expect({ code, failures }).toEqual({ code: 2, failures: [] })
  expect(find('route')).toMatchObject([
    { status: 'not_checked', details: [expect.stringMatching(/^Fix: set WIMDS_MODE: env/)] },
  ])
})

const AKS_COMMAND =
  'az aks update --resource-group RESOURCE_GROUP --name CLUSTER --enable-oidc-issuer'

const INTERNAL = 'https://kubernetes.default.svc.cluster.local'
const AKS = 'https://shop-1234.hcp.westeurope.azmk8s.io'

describe('sends no exchange, and prints no federated credential, which would not help, for', () => {
  test('a token file that is not there', async () => {
    const { failures, find } = await check({ AZURE_FEDERATED_TOKEN_FILE: '/no/token' })
    expect(failures).toEqual(['projected_token: assertion_missing'])
    const reason = 'the projected token /no/token fails (assertion_missing)'
    expect(find('token_exchange')).toMatchObject([{ status: 'not_checked', reason }])
  })

  test.each([INTERNAL, AKS])('a token with the audience %s', async (audience) => {
    const { failures, fixes, find } = await checkToken({ audience })
    expect(failures).toEqual(['projected_token: assertion_audience'])
    expect(fixes).toContain(AKS_COMMAND)
    const [exchange] = find('token_exchange')
    expect(exchange?.reason).toContain('assertion_audience')
    expect(exchange?.commands).toBeUndefined()
  })
})

describe('finds by the exchange, and prints no federated credential, which would not help,', () => {
  test('a token that is not signed with RS256', async () => {
    const [header = '', ...rest] = (await readFile(simulator.tokenFile, 'utf8')).split('.')
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString())
    const changed = Buffer.from(JSON.stringify({ alg: 'ES256', kid })).toString('base64url')
    const file = join(dirname(simulator.caFile), 'es256')
    await writeFile(file, [changed, ...rest].join('.'))
    const { failures, fixes, find } = await check({ AZURE_FEDERATED_TOKEN_FILE: file })
    expect(failures).toEqual(['token_exchange: assertion_refused'])
    expect(fixes).toContain('Entra ID accepts RS256')
    expect(find('token_exchange')[0]?.commands).toBeUndefined()
  })

  test.each([INTERNAL, AKS])('the issuer %s', async (iss) => {
    const { failures, fixes, find } = await checkToken({ claims: { iss } })
    expect(failures).toEqual(['token_exchange: issuer_unreachable'])
    expect(fixes).toContain(AKS_COMMAND)
    expect(find('token_exchange')[0]?.commands).toBeUndefined()
  })
})

const now = Math.floor(Date.now() / 1000)
const EXPIRED = { claims: { iat: now - 7200, nbf: now - 7200, exp: now - 3600 } }

test.each<[Env]>([[{}], [{ AZURE_CLIENT_ID: REPORTS.clientId }], [{ AZURE_TENANT_ID: UNKNOWN }]])(
  'finds an expired token with %j, and nothing that depends on it',
  async (env) => {
    const { failures, fixes, find } = await checkToken(EXPIRED, env)
    expect(failures).toEqual(['projected_token: assertion_expired'])
    expect(fixes).toContain('projected volume')
    expect(fixes).not.toContain('create a federated credential')
    expect(find('token_exchange')).toMatchObject([{ status: 'not_checked' }])
  },
)

test.each<[Token, number, RegExp]>([
  [{ lifetimeSeconds: 365 * 86_400 }, 70023, /expirationSeconds/],
  [{ audience: 'vault' }, 700212, /correct it in the projected volume/],
])('prints the fix for a projected token with %j', async (token, aadsts, fix) => {
  const { fixes, find } = await checkToken(token)
  const [exchange] = find('token_exchange')
  expect(exchange).toMatchObject({ status: 'failed', failure: { aadsts } })
  expect(fixes).toMatch(fix)
})

test('prints the commands that list the federated credentials when none has the audience of the token', async () => {
  const { find } = await checkToken({ audience: 'vault' })
  expect(find('token_exchange')[0]?.commands?.map(({ command }) => command)).toEqual([
    'az identity federated-credential list --identity-name IDENTITY_NAME --resource-group RESOURCE_GROUP --output table',
    `az ad app federated-credential list --id ${simulator.clientId} --output table`,
  ])
})

test.skipIf(process.getuid?.() !== 0)(
  'names a token file that the user of the sidecar may not read',
  async () => {
    const file = await realpath(simulator.tokenFile)
    await chmod(dirname(simulator.caFile), 0o755)
    await chmod(file, 0o600)
    try {
      using copy = await copyCli()
      const script = becomeUser(1501) + scriptOf(copy.cli, ['doctor', '-o', 'json'])
      const { stdout } = await runNode(['-e', script], served.env)
      const { failures, problems, fixes } = readReport(stdout)
      expect(failures).toEqual(['projected_token: assertion_unreadable'])
      expect(problems[0]?.problem).toMatch(/cannot be read: EACCES$/)
      expect(fixes).toMatch(/defaultMode.*fsGroup/)
    } finally {
      await chmod(file, 0o644)
    }
  },
)

const PORTAL: FaultInput = { kind: 'status', status: 200, body: '<html>', contentType: 'text/html' }

test.each<[string, FaultInput, string, RegExp]>([
  [
    'a clock that is far off',
    { kind: 'clock', offsetMs: 20 * 60_000 },
    'clock: clock_skew',
    /synchronize the clock/,
  ],
  ['a captive portal', PORTAL, 'token_exchange: entra_bad_response', /proxy between the pod and/],
  ['a firewall that drops packets', { kind: 'hang' }, 'token_exchange: entra_timeout', /firewall/],
])('names %s and its fix', async (_, fault, expected, fix) => {
  simulator.faults.add(fault)
  try {
    const { failures, fixes } = await check(
      fault.kind === 'hang' ? { WIMDS_EXCHANGE_TIMEOUT: '5s' } : {},
    )
    expect(failures).toEqual([expected])
    expect(fixes).toMatch(fix)
  } finally {
    simulator.faults.clear()
  }
})

const PROXIED = {
  AZURE_AUTHORITY_HOST: 'https://login.entra.example',
  HTTPS_PROXY: 'http://127.0.0.1:PROXY',
}

test.each<[string, Env, RegExp]>([
  ['entra_unreachable', { AZURE_AUTHORITY_HOST: 'https://login.invalid' }, /DNS/],
  ['entra_unreachable', { AZURE_AUTHORITY_HOST: 'https://127.0.0.1:1' }, /firewall/],
  ['entra_unreachable', PROXIED, /HTTPS_PROXY/],
  ['entra_tls', { WIMDS_CA_FILE: '' }, /WIMDS_CA_FILE/],
])('finds %s with %j, and its fix', async (code, env, fix) => {
  await using proxy = await connectProxy({ routes: {} })
  const { HTTPS_PROXY: url = '', ...others } = env
  const HTTPS_PROXY = url.replace('PROXY', String(proxy.port))
  const { failures, fixes } = await check({ ...others, HTTPS_PROXY })
  expect(failures).toEqual([`token_exchange: ${code}`])
  expect(fixes).toMatch(fix)
})

test('names the login host of another cloud', async () => {
  const host = 'login.microsoftonline.us'
  await using government = await createSimulator({
    names: [host],
    directory: {
      tenants: [{ id: '77777777-7777-4777-8777-777777777777', name: 'Government' }],
      applications: [],
    },
  })
  const port = Number(new URL(government.authorityHost).port)
  await using proxy = await connectProxy({ routes: { [`${host}:443`]: port } })
  const { failures, fixes } = await check({
    AZURE_AUTHORITY_HOST: `https://${host}`,
    WIMDS_CA_FILE: government.caFile,
    HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
  })
  expect(failures).toEqual(['token_exchange: tenant_refused'])
  expect(fixes).toMatch(/AZURE_AUTHORITY_HOST/)
})
