/** The report of `wimds doctor` next to a sidecar, with its findings on the network and the credentials. */
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createCredentialName } from '../../../src/tools/managed-identity.ts'
import { docsPage, VERSION } from '../../../src/lib/version.ts'
import { BILLING } from '../../../src/tools/simulator/defaults.ts'
import { diagnose, runDoctor, serve, startSidecar } from './run-doctor.ts'

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

test('exits 0 when all checks pass, and prints the settings that differ from their defaults first', async () => {
  const { code, stdout: out } = await run([], { WIMDS_EXCHANGE_TIMEOUT: '3s' })
  expect(code).toBe(0)
  expect(out).toMatch(/^wimds .*\n\nSettings\n[^]*WIMDS_EXCHANGE_TIMEOUT=3s$/m)
  expect(out).toContain(`✓ sidecar (127.0.0.1:${served.sidecar.port}): listens and is ready`)
  expect(out).toContain(`issuer    ${simulator.issuer.issuer}\n`)
  expect(out).toMatch(/✓ All checks passed\.\n$/)
})

test('names the requests of applications that the sidecar answers with an error', async () => {
  await using other = await serve(simulator)
  const { env } = other
  const url = `http://${env.WIMDS_LISTEN}/metadata/identity/oauth2/token?api-version=2018-02-01`
  const headers = { metadata: 'true', 'user-agent': 'curl/8.5.0' }
  await fetch(`${url}&resource=https://unknown.test`, { headers })
  await fetch(`${url}&resource=other`, { headers })
  await fetch(url)
  const { code, stdout: out } = await run([], env)
  expect(code).toBe(1)
  expect(out).toMatch(
    /^ {2}✗ requests of applications \(default \(client id [\d-]+\) → other\): 1 of curl\/8.5.0 failed since /m,
  )
  expect(out).toMatch(
    /^ {2}✗ .* → https:\/\/unknown\.test\): 1 of curl\/8.5.0 failed since \S+, the last at \S+\n {4}resource_refused, AADSTS500011: [^]*\n {4}Fix: [^]*\n {4}See: /m,
  )
  expect(out).toMatch(
    /^ {2}✓ requests of applications \(others\): none needs a fix since \S+\n {4}! 1 of node-http, the last at \S+: metadata_header_missing\. Fix: /m,
  )
  expect(out).toMatch(/ 2 checks failed: requests of applications\.\n$/)
  const off = await check({ ...env, WIMDS_ADMIN_LISTEN: 'off' })
  expect(off.find('requests')).toMatchObject([
    { status: 'not_needed', reason: 'WIMDS_ADMIN_LISTEN is off; the log of the sidecar has them' },
  ])
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
      url: docsPage('aadsts', 'aadsts700213'),
    },
  })
  expect(exchange?.commands?.[0]?.command).toBe(
    `az identity federated-credential create --name ${createCredentialName(issuer, 'system:serviceaccount:shop:orders')} --identity-name IDENTITY_NAME --resource-group RESOURCE_GROUP --issuer ${issuer} --subject system:serviceaccount:shop:orders --audiences api://AzureADTokenExchange`,
  )

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

test('makes exchanges without a sidecar if --no-sidecar leaves its check out', async () => {
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

test('reports invalid settings as a failed check, and makes no other check', async () => {
  const env = { AZURE_TENANT_ID: 'common', WIMDS_EXCHANGE_TIMEOUT: 'soon' }
  const { code, stdout: out } = await run([], env)
  expect(code).toBe(1)
  expect(out).toMatch(
    /✗ settings: invalid settings\n +AZURE_TENANT_ID: [^]*WIMDS_EXCHANGE_TIMEOUT: /,
  )
  expect(out).toMatch(/✗ 1 check failed: settings\.\n$/)
})

test.each([
  [['--cluster', 'orders'], '--cluster or a pod (orders): give one'],
  [['--cluster', '-n', 'a'], '--namespace is only for --pre or a pod'],
  [['--uid=none'], '--uid is only for --pre'],
  [['orders', '--mode=env'], '--mode is only for --pre'],
  [['--pre', '--uid=root'], '--uid'],
  [['shop/orders', '-n', 'other'], 'name different namespaces: give one'],
  [['a', 'b'], 'unexpected argument b'],
  [['svc/orders/x'], 'must be POD, NAMESPACE/POD or KIND/NAME, such as shop/orders'],
])('rejects %j', async (args, message) => {
  const { code, stderr } = await runDoctor(args)
  expect(code).toBe(64)
  expect(stderr).toContain(message)
})
