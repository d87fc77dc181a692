/** `wimds doctor` before a simulated world: what it finds, what it says, and what it never says. */
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { doctor } from '../../src/commands/doctor.ts'
import type { DoctorReport } from '../../src/doctor/report.ts'
import { serve } from '../../src/simulator/http/serve.ts'
import { createTokenProxy } from '../../src/simulator/token-proxy.ts'
import { BILLING } from '../../src/simulator/defaults.ts'
import { createSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import { createCertificateAuthority } from '../../src/lib/x509.ts'
import { connectProxy } from '../exchange/connect-proxy.ts'
import { environmentOf } from '../fixtures/served.ts'
import { captureIo } from './capture.ts'

let world: Simulator
beforeAll(async () => {
  world = await createSimulator()
})
afterAll(() => world.close())

async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const io = captureIo({ ...environmentOf(world), ...env })
  const code = await doctor(args, io)
  return { code, out: io.out() }
}

async function reported(env: Readonly<Record<string, string>> = {}, ...args: readonly string[]) {
  const { code, out } = await run(['--json', ...args], env)
  const report: DoctorReport = JSON.parse(out)
  expect(report.ok).toBe(code === 0)
  return report
}

test('says that all is well when it is, and exits 0', async () => {
  const { code, out } = await run([])
  expect(code).toBe(0)
  expect(out).toContain('✓ subject   system:serviceaccount:shop:orders')
  expect(out).toMatch(/✓ tls {4}TLSv1\.3, certificate by wimds simulator CA until/)
  expect(out).toContain('✓ default → https://management.azure.com/: a token until')
  expect(out).toMatch(/✓ All is well\.\n$/)
})

test('prints no token, no assertion and no secret, in no form', async () => {
  const assertion = await readFile(world.tokenFile, 'utf8')
  const env = {
    WIMDS_IDENTITY_HEADER: 'secret-of-the-pod',
    HTTPS_PROXY: 'http://me:secret-of-the-proxy@127.0.0.1:9',
    NO_PROXY: '127.0.0.1',
  }
  for (const args of [[], ['--json']]) {
    const { out } = await run(args, env)
    expect(out).not.toMatch(/eyJ|secret-of/)
    for (const part of assertion.split('.')) expect(out).not.toContain(part)
  }
})

test('tells where each setting comes from', async () => {
  const { settings } = await reported({ WIMDS_DRAIN: '3s' }, '--no-exchange')
  expect(settings).toContainEqual({ name: 'WIMDS_DRAIN', value: '3s', origin: 'environment' })
  expect(settings).toContainEqual({ name: 'WIMDS_LOG_FORMAT', value: 'auto', origin: 'default' })
})

test('gives the whole report as JSON', async () => {
  const report = await reported()
  expect(report).toMatchObject({
    schemaVersion: 1,
    ok: true,
    warnings: [],
    identities: [
      { name: 'default', clientId: world.clientId, isDefault: true, origin: 'environment' },
    ],
    assertions: [
      {
        file: world.tokenFile,
        ok: true,
        issuer: world.issuer.issuer,
        subject: 'system:serviceaccount:shop:orders',
        audience: ['api://AzureADTokenExchange'],
        warnings: [],
      },
    ],
    ways: [{ via: 'direct', steps: [{ step: 'dns' }, { step: 'tcp' }, { step: 'tls', ok: true }] }],
    exchanges: [{ identity: 'default', resource: 'https://management.azure.com/', ok: true }],
  })
  // Entra ID's Date header has whole seconds: half a second off is what equal clocks can look like.
  expect(Math.abs(report.clockSkewSeconds ?? Infinity)).toBeLessThan(1)
})

test('prints the commands that mend a missing credential, with the real claims', async () => {
  const { issuer } = world.issuer
  const { exchanges, ok } = await reported({ AZURE_CLIENT_ID: BILLING.clientId })
  expect(ok).toBe(false)
  const [exchange] = exchanges
  expect(exchange).toMatchObject({
    ok: false,
    error: {
      code: 'federated_credential_not_found',
      aadsts: 700213,
      meaning: expect.stringContaining('subject'),
    },
  })
  const fix = exchange?.fix
  expect(fix?.azManagedIdentity).toBe(
    `az identity federated-credential create --name wimds-shop-orders --identity-name IDENTITY_NAME --resource-group RESOURCE_GROUP --issuer ${issuer} --subject system:serviceaccount:shop:orders --audiences api://AzureADTokenExchange`,
  )
  expect(fix?.azApplication).toContain(`--id ${BILLING.clientId} --parameters '{"name":`)
  expect(fix?.terraform).toContain(`issuer              = "${issuer}"`)

  const { code, out } = await run([], { AZURE_CLIENT_ID: BILLING.clientId })
  expect(code).toBe(1)
  expect(out).toContain(fix?.azManagedIdentity)
  expect(out).toContain(
    'federated_credential_not_found, AADSTS700213: no federated identity credential',
  )
  expect(out).toContain('✗ Not well: 1 exchange failed')
})

test('tries each identity for what it prefetches, and no more', async () => {
  const file = join(dirname(world.caFile), 'doctor.yaml')
  const vault = 'https://vault.azure.net'
  const storage = 'https://storage.azure.com'
  await writeFile(
    file,
    JSON.stringify({
      identities: [
        { name: 'orders', clientId: world.clientId, default: true, prefetch: [vault, storage] },
        { name: 'billing', clientId: BILLING.clientId, resources: [vault] },
      ],
    }),
  )
  const { exchanges, identities } = await reported({ WIMDS_CONFIG: file })
  expect(exchanges.map(({ identity, resource, ok }) => [identity, resource, ok])).toEqual([
    ['orders', vault, true],
    ['orders', storage, true],
    ['billing', vault, false],
  ])
  expect(identities.map(({ origin }) => origin)).toEqual(['file', 'file'])
})

test('leaves Entra ID alone with --no-exchange', async () => {
  world.log.clear()
  const { exchanges, ok } = await reported({}, '--no-exchange')
  expect({ exchanges, ok, count: world.exchanges() }).toEqual({ exchanges: [], ok: true, count: 0 })
})

test('says what is wrong with a projected token that is not there', async () => {
  const { ok, assertions, exchanges } = await reported({ AZURE_FEDERATED_TOKEN_FILE: '/no/token' })
  expect(ok).toBe(false)
  expect(assertions).toMatchObject([{ ok: false, error: { code: 'assertion_missing' } }])
  expect(exchanges).toMatchObject([{ ok: false, error: { code: 'assertion_missing' } }])
})

test.each([
  ['lives too long', { lifetimeSeconds: 365 * 86_400 }, /more than 24 hours/, 70023],
  ['has another audience', { audience: 'vault' }, /audience is vault|audience vault/, 700212],
])('warns of a token that %s, before Entra ID refuses it', async (_, claims, warning, aadsts) => {
  await world.rotateToken(claims)
  try {
    const { assertions, exchanges } = await reported()
    expect(assertions[0]?.warnings.join()).toMatch(warning)
    expect(exchanges).toMatchObject([{ ok: false, error: { aadsts } }])
  } finally {
    await world.rotateToken()
  }
})

test('names the step of the way that fails', async () => {
  const unknown = await reported({ AZURE_AUTHORITY_HOST: 'https://login.invalid' }, '--no-exchange')
  expect(unknown.ways).toMatchObject([
    { endpoint: 'login.invalid:443', steps: [{ step: 'dns', ok: false }] },
  ])
  const closed = await reported({ AZURE_AUTHORITY_HOST: 'https://127.0.0.1:1' }, '--no-exchange')
  expect(closed.ways[0]?.steps.at(-1)).toMatchObject({ step: 'tcp', ok: false })
  const untrusted = await reported({ WIMDS_CA_FILE: '' }, '--no-exchange')
  expect(untrusted.ways[0]?.steps.at(-1)).toMatchObject({
    step: 'tls',
    ok: false,
    detail: expect.stringMatching(/certificate/),
  })
})

test('goes by the proxy, and tells what it says', async () => {
  const host = 'login.entra.example'
  await using elsewhere = await createSimulator({ names: [host] })
  const port = Number(new URL(elsewhere.authorityHost).port)
  await using proxy = await connectProxy({
    routes: { [`${host}:443`]: port },
    credentials: 'me:secret',
  })
  const env = {
    ...environmentOf(elsewhere),
    AZURE_AUTHORITY_HOST: `https://${host}`,
    HTTPS_PROXY: `http://me:secret@127.0.0.1:${proxy.port}`,
  }
  const { ways, ok } = await reported(env)
  expect(ways).toMatchObject([
    {
      endpoint: `${host}:443`,
      via: 'proxy',
      steps: [{ step: 'dns' }, { step: 'tcp' }, { step: 'proxy', ok: true }, { step: 'tls' }],
    },
  ])
  expect(ok).toBe(true)

  const wrong = { ...env, HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` }
  const refused = await reported(wrong, '--no-exchange')
  expect(refused.ways[0]?.steps.at(-1)).toMatchObject({
    step: 'proxy',
    ok: false,
    detail: 'the proxy wants a user and a password (407)',
  })
})

test('goes by the token proxy of identity bindings, with its own CA and name', async () => {
  const authority = await createCertificateAuthority()
  const proxy = createTokenProxy({
    prefix: '/cluster',
    authorityHost: world.authorityHost,
    dispatcher: world.dispatcher,
  })
  const tls = await authority.issue({ names: ['proxy.example'] })
  await using running = await serve(proxy, { tls })
  const env = {
    AZURE_KUBERNETES_TOKEN_PROXY: `${running.url}/cluster`,
    AZURE_KUBERNETES_SNI_NAME: 'proxy.example',
    AZURE_KUBERNETES_CA_DATA: authority.caPem,
  }
  const { ways, ok } = await reported(env)
  expect(ways).toMatchObject([{ endpoint: `127.0.0.1:${running.port}`, via: 'token-proxy' }])
  expect(ok).toBe(true)
})

test('tells the mistakes of the settings and exits 64, in JSON too', async () => {
  const env = { AZURE_TENANT_ID: 'common', WIMDS_DRAIN: 'soon' }
  await expect(run([], env)).rejects.toThrow(/AZURE_TENANT_ID[^]*WIMDS_DRAIN/)
  const { code, out } = await run(['--json'], env)
  expect(code).toBe(64)
  expect(JSON.parse(out)).toMatchObject({
    ok: false,
    mistakes: [
      expect.stringMatching(/^AZURE_TENANT_ID: /),
      expect.stringMatching(/^WIMDS_DRAIN: /),
    ],
  })
})
