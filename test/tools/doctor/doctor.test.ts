/** The report of `wimds doctor` next to a sidecar, with its findings on the network and the credentials. */
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createCredentialName } from '../../../src/tools/managed-identity.ts'
import { VERSION } from '../../../src/lib/version.ts'
import { createCertificateAuthority } from '../../../src/lib/x509.ts'
import { BILLING } from '../../../src/tools/simulator/defaults.ts'
import { serve } from '../../../src/tools/simulator/http/serve.ts'
import { createSimulator } from '../../../src/tools/simulator/simulator.ts'
import { connectProxy } from '../../broker/exchange/connect-proxy.ts'
import { environmentOf, startServe } from '../../fixtures/served.ts'
import { diagnose, runDoctor, startSidecar } from './run-doctor.ts'

const served = await startSidecar()
const { simulator } = served
afterAll(() => served.stop())

type Env = Readonly<Record<string, string>>

const run = (args: readonly string[], env: Env = {}) => runDoctor(args, { ...served.env, ...env })
const check = (env: Env = {}, ...args: readonly string[]) =>
  diagnose(args, { ...served.env, ...env })

/** Writes an identities file; returns its path. */
async function writeIdentities(name: string, identities: readonly object[]): Promise<string> {
  const file = join(dirname(simulator.caFile), name)
  await writeFile(file, JSON.stringify({ identities }))
  return file
}

test('says what to run where nothing is set, and exits 1', async () => {
  const { code, report, fixes } = await diagnose([])
  expect(code).toBe(1)
  expect(report.checks).toMatchObject([
    { check: 'settings', failure: { code: 'settings_invalid' } },
  ])
  expect(report.checks[0]?.details).toEqual([])
  for (const command of ['--pre', '--cluster', 'NAMESPACE/POD']) {
    expect(fixes).toContain(`wimds doctor ${command} `)
  }
})

test('exits 0 when all checks pass', async () => {
  const { code, stdout: out } = await run([])
  expect(code).toBe(0)
  expect(out).toContain(`✓ sidecar (127.0.0.1:${served.sidecar.port}): listens and is ready`)
  expect(out).toContain('– route (169.254.169.254:80): not needed in mode env')
  expect(out).toContain(' subject   system:serviceaccount:shop:orders')
  expect(out).toContain('✓ clock: the clock of this machine is ')
  expect(out).toContain('✓ token exchange (default → https://management.azure.com/): token until')
  expect(out).toMatch(/✓ All checks passed\.\n$/)
})

test('names the requests of applications that the sidecar answers with an error', async () => {
  await using other = await startServe(environmentOf(simulator))
  const url = `http://127.0.0.1:${other.port}/metadata/identity/oauth2/token?api-version=2018-02-01`
  const headers = { metadata: 'true', 'user-agent': 'curl/8.5.0' }
  await fetch(`${url}&resource=https://unknown.test`, { headers })
  await fetch(url)
  const env = {
    WIMDS_LISTEN: `127.0.0.1:${other.port}`,
    WIMDS_ADMIN_LISTEN: `127.0.0.1:${other.adminPort}`,
  }
  const { code, stdout: out } = await run([], env)
  expect(code).toBe(1)
  expect(out).toMatch(
    / ✗ requests of applications \(default \(client id [\d-]+\) → https:\/\/unknown\.test\): 1 of curl\/8.5.0 failed since \S+, the last at \S+\n +resource_refused, AADSTS500011: [^]*\n +Fix: [^]*\n +See: /,
  )
  expect(out).toMatch(/! 1 of node-http, the last at \S+: metadata_header_missing\. Fix: /)
  expect(out).toMatch(/ 1 check failed: requests of applications\.\n$/)
  const closed = await check({ ...env, WIMDS_ADMIN_LISTEN: '127.0.0.1:1' })
  expect(closed.find('requests')).toMatchObject([
    { status: 'not_checked', reason: expect.stringMatching(/status\.json does not answer \(/) },
  ])
  const off = await check({ ...env, WIMDS_ADMIN_LISTEN: 'off' })
  expect(off.find('requests')).toMatchObject([
    { status: 'not_needed', reason: 'WIMDS_ADMIN_LISTEN is off; the log of the sidecar has them' },
  ])
})

test('names the client id of an application that asks for its own, and each resource, with the commands of its credential once', async () => {
  await using other = await startServe({
    ...environmentOf(simulator),
    WIMDS_UNLISTED_CLIENT_IDS: 'allow',
  })
  const url = `http://127.0.0.1:${other.port}/metadata/identity/oauth2/token?api-version=2018-02-01`
  const resources = ['https://vault.azure.net', 'https://storage.azure.com']
  for (const resource of resources) {
    const query = `&resource=${resource}&client_id=${BILLING.clientId}`
    const headers = { metadata: 'true', 'user-agent': 'curl/8.5.0' }
    const reply = await fetch(`${url}${query}`, { headers })
    expect(await reply.text()).toContain(`(client id ${BILLING.clientId})`)
  }
  const env = {
    WIMDS_LISTEN: `127.0.0.1:${other.port}`,
    WIMDS_ADMIN_LISTEN: `127.0.0.1:${other.adminPort}`,
  }
  const requests = (await check(env)).find('requests')
  const subjects = resources.map((resource) => `client id ${BILLING.clientId} → ${resource}`)
  expect(requests.map(({ subject }) => subject)).toEqual(subjects.toReversed())
  expect(requests[0]?.failure?.aadsts).toBe(700213)
  const { issuer } = simulator.issuer
  expect(requests[0]?.commands?.map(({ command }) => command)).toEqual([
    expect.stringMatching(
      `^az identity federated-credential create .* --issuer ${issuer} --subject system:serviceaccount:shop:orders `,
    ),
    expect.stringContaining(`az ad app federated-credential create --id ${BILLING.clientId} `),
  ])
  const { stdout } = await run([], env)
  expect(stdout.split('az identity federated-credential create')).toHaveLength(2)
  expect(other.events().filter(({ event }) => event === 'request_rejected')).toMatchObject(
    resources.map((resource) => ({ clientId: BILLING.clientId, resource })),
  )
})

test('prints no token, no assertion and no secret', async () => {
  const assertion = await readFile(simulator.tokenFile, 'utf8')
  const env = {
    WIMDS_IDENTITY_HEADER: 'secret-of-the-pod',
    HTTPS_PROXY: 'http://me:secret-of-the-proxy@127.0.0.1:9',
    NO_PROXY: '127.0.0.1',
  }
  for (const args of [[], ['-o', 'json']]) {
    const { stdout: out } = await run(args, env)
    expect(out).not.toMatch(/eyJ|secret-of/)
    for (const part of assertion.split('.')) expect(out).not.toContain(part)
  }
})

test('prints the settings that differ from their defaults first', async () => {
  const env = { WIMDS_EXCHANGE_TIMEOUT: '3s' }
  const { stdout: out } = await run([], env)
  expect(out).toMatch(/^wimds .*\n\nSettings\n[^]*WIMDS_EXCHANGE_TIMEOUT=3s$/m)
  expect(out).not.toContain('WIMDS_MAX_CONNECTIONS')
})

test('reports everything as JSON', async () => {
  const { report } = await check()
  expect(report).toMatchObject({ schemaVersion: 1, version: VERSION, ok: true })
  const { settings = [], checks } = report
  expect(settings.map(({ name }) => name)).toContain('WIMDS_LISTEN')
  expect(checks).toMatchObject([
    { check: 'settings', status: 'ok', details: [] },
    { check: 'sidecar', subject: `127.0.0.1:${served.sidecar.port}`, status: 'ok' },
    { check: 'route', status: 'not_needed', reason: expect.stringContaining('mode env') },
    { check: 'identity', subject: 'default', status: 'ok' },
    { check: 'projected_token', subject: simulator.tokenFile, status: 'ok' },
    { check: 'clock', status: 'ok' },
    { check: 'token_exchange', subject: 'default → https://management.azure.com/', status: 'ok' },
    { check: 'requests', status: 'ok' },
  ])
  expect(checks.some(({ warnings }) => warnings !== undefined)).toBe(false)
})

test('prints the commands that create a missing federated credential', async () => {
  const { issuer } = simulator.issuer
  const { find, report } = await check({ AZURE_CLIENT_ID: BILLING.clientId })
  expect(report.ok).toBe(false)
  const [exchange] = find('token_exchange')
  expect(exchange).toMatchObject({
    status: 'failed',
    failure: {
      code: 'federated_credential_not_found',
      aadsts: 700213,
      explanation: expect.stringContaining('subject'),
      url: expect.stringMatching(/aadsts\.html#aadsts700213$/),
    },
  })
  const [managedIdentity, application] = exchange?.commands ?? []
  expect(managedIdentity?.command).toBe(
    `az identity federated-credential create --name ${createCredentialName(issuer, 'system:serviceaccount:shop:orders')} --identity-name IDENTITY_NAME --resource-group RESOURCE_GROUP --issuer ${issuer} --subject system:serviceaccount:shop:orders --audiences api://AzureADTokenExchange`,
  )
  expect(application?.command).toContain(`--id ${BILLING.clientId} --parameters '{"name":`)

  const { code, stdout: out } = await run([], { AZURE_CLIENT_ID: BILLING.clientId })
  expect(code).toBe(1)
  for (const { purpose, command } of exchange?.commands ?? []) {
    expect(out).toContain(`\n\n${purpose}:\n\n${command}\n`)
  }
  expect(out).toContain('federated_credential_not_found, AADSTS700213: no federated credential')
  expect(out).toMatch(/✗ 1 check failed: token exchange\.\n$/)
})

test('exchanges for the resources that each identity prefetches', async () => {
  const vault = 'https://vault.azure.net'
  const storage = 'https://storage.azure.com'
  const file = await writeIdentities('prefetching.yaml', [
    { name: 'orders', clientId: simulator.clientId, default: true, prefetch: [vault, storage] },
    { name: 'billing', clientId: BILLING.clientId, resources: [vault] },
  ])
  const { find } = await check({ WIMDS_CONFIG: file })
  expect(find('token_exchange').map(({ subject, status }) => [subject, status])).toEqual([
    [`orders → ${vault}`, 'ok'],
    [`orders → ${storage}`, 'ok'],
    [`billing → ${vault}`, 'failed'],
  ])
  expect(find('identity').map(({ subject }) => subject)).toEqual(['orders', 'billing'])
})

test('exchanges without a sidecar, which --no-sidecar leaves out', async () => {
  const { code, report } = await check({ WIMDS_LISTEN: '127.0.0.1:1' }, '--no-sidecar')
  expect(code).toBe(0)
  expect(report.checks.map(({ check: name, status }) => `${name}: ${status}`)).toEqual([
    'settings: ok',
    'sidecar: not_needed',
    'identity: ok',
    'projected_token: ok',
    'clock: ok',
    'token_exchange: ok',
  ])
})

test('names an AADSTS code without an explanation once', async () => {
  simulator.faults.set([{ kind: 'aadsts', code: 50034, times: 1 }])
  const { stdout: out } = await run([])
  expect(out).toMatch(/^ +entra_request_rejected: AADSTS50034: /m)
})

test('connects through the HTTP proxy and reports its rejection', async () => {
  const host = 'login.entra.example'
  await using elsewhere = await createSimulator({ names: [host] })
  const port = Number(new URL(elsewhere.authorityHost).port)
  await using proxy = await connectProxy({
    routes: { [`${host}:443`]: port },
    credentials: 'me:secret',
  })
  const env = {
    AZURE_CLIENT_ID: elsewhere.clientId,
    AZURE_TENANT_ID: elsewhere.tenantId,
    AZURE_FEDERATED_TOKEN_FILE: elsewhere.tokenFile,
    WIMDS_CA_FILE: elsewhere.caFile,
    AZURE_AUTHORITY_HOST: `https://${host}`,
    HTTPS_PROXY: `http://me:secret@127.0.0.1:${proxy.port}`,
  }
  expect((await check(env)).report.ok).toBe(true)
  expect(proxy.tunnels).not.toEqual([])

  const anonymous = { ...env, HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` }
  const rejected = await check(anonymous)
  expect(rejected.find('token_exchange')[0]).toMatchObject({
    status: 'failed',
    failure: {
      code: 'entra_unreachable',
      problem: expect.stringMatching(/^the proxy \S+ answered 407 instead of connecting to/),
      fix: expect.stringContaining('HTTPS_PROXY'),
    },
  })
})

test('connects to the token proxy with its CA and name, and links the steps of a binding when it answers 403', async () => {
  const authority = await createCertificateAuthority()
  const tls = await authority.issue({ names: ['proxy.example'] })
  await using running = await serve(
    () => Promise.resolve(Response.json({ kind: 'Status' }, { status: 403 })),
    { tls },
  )
  const env = {
    AZURE_KUBERNETES_TOKEN_PROXY: running.url,
    AZURE_KUBERNETES_SNI_NAME: 'proxy.example',
    AZURE_KUBERNETES_CA_DATA: authority.caPem,
  }
  const { find } = await check(env)
  expect(find('token_exchange')).toMatchObject([
    {
      failure: {
        code: 'token_proxy_forbidden',
        url: expect.stringContaining('#token_proxy_forb'),
        fix: expect.any(String),
      },
    },
  ])
})

test('truncates the claims of a token', async () => {
  await simulator.rotateToken({ audience: 'a'.repeat(20_000) })
  const { find } = await check()
  await simulator.rotateToken()
  expect(JSON.stringify(find('projected_token')).length).toBeLessThan(4000)
})

test('exchanges at both endpoints of a pod with identity bindings and direct federation', async () => {
  const folder = dirname(simulator.caFile)
  await simulator.rotateToken({ audience: 'api://AKSIdentityBinding' })
  const bindingToken = join(folder, 'binding-token')
  await copyFile(simulator.tokenFile, bindingToken)
  await simulator.rotateToken()
  const config = await writeIdentities('both.yaml', [
    { name: 'orders', clientId: simulator.clientId, default: true },
    { name: 'billing', clientId: BILLING.clientId, tokenFile: bindingToken },
  ])
  const { find } = await check({
    WIMDS_CONFIG: config,
    AZURE_KUBERNETES_TOKEN_PROXY: 'https://127.0.0.1:1/',
  })
  expect(find('token_exchange')).toMatchObject([
    { subject: expect.stringMatching(/^orders /), status: 'ok' },
    {
      subject: expect.stringMatching(/^billing /),
      failure: {
        problem: expect.stringContaining('the token proxy of the cluster at 127.0.0.1:1'),
      },
    },
  ])
})

test('reports invalid settings as a failed check, and makes no other', async () => {
  const env = { AZURE_TENANT_ID: 'common', WIMDS_EXCHANGE_TIMEOUT: 'soon' }
  const { code, stdout: out } = await run([], env)
  expect(code).toBe(1)
  expect(out).toMatch(
    /✗ settings: invalid settings\n +AZURE_TENANT_ID: [^]*WIMDS_EXCHANGE_TIMEOUT: /,
  )
  expect(out).toMatch(/✗ 1 check failed: settings\.\n$/)
})
