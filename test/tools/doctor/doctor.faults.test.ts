/** `wimds doctor` with misconfigurations: the report has the code of each fault, and its fix. */
import { createServer } from 'node:http'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createSimulator, type Simulator } from '../../../src/tools/simulator/simulator.ts'
import { connectProxy } from '../../broker/exchange/connect-proxy.ts'
import { listening } from '../../fixtures/listening.ts'
import { environmentOf } from '../../fixtures/served.ts'
import { diagnose, serve, startSidecar } from './run-doctor.ts'

let served: Awaited<ReturnType<typeof startSidecar>>
let simulator: Simulator
beforeAll(async () => {
  served = await startSidecar()
  simulator = served.simulator
  // The sidecar reads the projected token some time after it listens.
  await vi.waitUntil(() => served.sidecar.events().some(({ event }) => event === 'ready'), {
    timeout: 60_000,
  })
})
afterAll(() => served.stop())

type Env = Readonly<Record<string, string>>

/** Runs doctor with the settings of the sidecar, changed by `env`. */
const check = (env: Env = {}, ...args: readonly string[]) =>
  diagnose(args, { ...served.env, ...env })

const UNKNOWN = '99999999-9999-4999-8999-999999999999'

test.each<[string, Env, RegExp]>([
  ['sidecar: sidecar_not_listening', { WIMDS_LISTEN: '127.0.0.1:1' }, /kubectl exec POD -c wimds/],
  ['identity: identity_not_found', { AZURE_CLIENT_ID: '' }, /AZURE_CLIENT_ID/],
  ['token_exchange: tenant_refused', { AZURE_TENANT_ID: UNKNOWN }, /AZURE_TENANT_ID/],
  [
    'projected_token: assertion_audience',
    { WIMDS_AUDIENCE: 'api://other' },
    /projected volume to api:\/\/other/,
  ],
])('finds %s with %j, and its fix', async (expected, env, fix) => {
  const { code, failures, fixes, problems } = await check(env)
  expect({ code, failures }).toEqual({ code: 1, failures: [expected] })
  expect(fixes).toMatch(fix)
  for (const { url } of problems)
    expect(url).toMatch(/\/(?:troubleshooting|aadsts)\.(?:html|md)#\w+$/)
})

test('names a sidecar that is not ready', async () => {
  await using other = await serve(simulator, { AZURE_FEDERATED_TOKEN_FILE: '/no/token' })
  const env = { ...other.env, AZURE_FEDERATED_TOKEN_FILE: simulator.tokenFile }
  expect((await check(env)).failures).toEqual(['sidecar: sidecar_not_ready'])
})

test('passes without an identity if requests name their client id', async () => {
  const changes = { AZURE_CLIENT_ID: '', WIMDS_UNLISTED_CLIENT_IDS: 'allow' }
  await using other = await serve(simulator, changes)
  const query = `api-version=2018-02-01&resource=a&client_id=${simulator.clientId}`
  const url = `http://${other.env.WIMDS_LISTEN}/metadata/identity/oauth2/token?${query}`
  await (await fetch(url, { headers: { metadata: 'true' } })).arrayBuffer()
  expect((await check(other.env)).find('identity')).toMatchObject([{ status: 'ok' }])
})

test('names another program on the port of the sidecar', async () => {
  await using other = await listening(createServer((_, reply) => reply.end('hello')))
  const { failures, problems, find } = await check({
    WIMDS_LISTEN: `127.0.0.1:${other.port}`,
    WIMDS_ADMIN_LISTEN: '127.0.0.1:1',
  })
  expect(failures).toEqual(['sidecar: sidecar_not_listening'])
  expect(problems[0]?.problem).toMatch(/another program answered 200/)
  expect(find('requests')).toMatchObject([
    {
      status: 'not_checked',
      reason: expect.stringContaining('127.0.0.1:1/status.json does not answer'),
      details: [expect.stringMatching(/^Fix: run doctor with the WIMDS_ADMIN_LISTEN of/)],
    },
  ])
})

test('does not judge the route if the mode is not known', async () => {
  const { code, failures, find } = await check({ WIMDS_MODE: '' })
  expect({ code, failures }).toEqual({ code: 2, failures: [] })
  expect(find('route')).toMatchObject([
    { status: 'not_checked', details: [expect.stringMatching(/^Fix: set WIMDS_MODE: env/)] },
  ])
})

test('says that a resource has to be named where the default one is not of the cloud', async () => {
  simulator.faults.add({ kind: 'aadsts', code: 500011 })
  try {
    const { failures, fixes } = await check()
    expect(failures).toEqual(['token_exchange: resource_refused'])
    expect(fixes).toMatch(/^name a resource of the cloud of \S+, by WIMDS_PREFETCH.*management/)
    // A named resource has the fix of its code.
    const named = await check({ WIMDS_PREFETCH: 'https://vault.azure.net' })
    expect(named.fixes).toMatch(/^check the spelling of the resource/)
  } finally {
    simulator.faults.clear()
  }
})

test('asks for the Azure Resource Manager of a known cloud, and explains its failure by the code', async () => {
  const host = 'login.microsoftonline.us'
  await using gov = await createSimulator({ names: [host] })
  const port = Number(new URL(gov.authorityHost).port)
  await using proxy = await connectProxy({ routes: { [`${host}:443`]: port } })
  gov.faults.add({ kind: 'aadsts', code: 500011 })
  const { find, fixes } = await diagnose(['--no-sidecar'], {
    ...environmentOf(gov),
    AZURE_AUTHORITY_HOST: `https://${host}`,
    WIMDS_AUDIENCE: 'api://AzureADTokenExchange',
    HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
  })
  const subject = 'default → https://management.usgovcloudapi.net/'
  expect(find('token_exchange')).toMatchObject([{ subject, status: 'failed' }])
  expect(fixes).toMatch(/^check the spelling of the resource/)
})

test('sends no exchange without a token file, and prints no federated credential', async () => {
  const { failures, find } = await check({ AZURE_FEDERATED_TOKEN_FILE: '/no/token' })
  expect(failures).toEqual(['projected_token: assertion_missing'])
  const reason = 'the projected token /no/token fails (assertion_missing)'
  expect(find('token_exchange')).toMatchObject([{ status: 'not_checked', reason }])
  expect(find('token_exchange')[0]?.commands).toBeUndefined()
})

const now = Math.floor(Date.now() / 1000)
const EXPIRED = { claims: { iat: now - 7200, nbf: now - 7200, exp: now - 3600 } }

test.each<[Env]>([[{}], [{ AZURE_TENANT_ID: UNKNOWN }]])(
  'finds an expired token with %j, and nothing that depends on it',
  async (env) => {
    await simulator.rotateToken(EXPIRED)
    const { failures, fixes, find } = await check(env)
    await simulator.rotateToken()
    expect(failures).toEqual(['projected_token: assertion_expired'])
    expect(fixes).toContain('projected volume')
    expect(fixes).not.toContain('create a federated credential')
    expect(find('token_exchange')).toMatchObject([{ status: 'not_checked' }])
  },
)

test('names a clock that is far off, and its fix', async () => {
  simulator.faults.add({ kind: 'clock', offsetMs: 20 * 60_000 })
  try {
    const { failures, fixes } = await check()
    expect(failures).toEqual(['clock: clock_skew'])
    expect(fixes).toMatch(/synchronize the clock/)
  } finally {
    simulator.faults.clear()
  }
})
