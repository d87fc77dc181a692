import { spawn, spawnSync } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { decodeJwt } from 'jose'
import { afterAll, expect, test } from 'vitest'
import { VERSION } from '../../src/lib/version.ts'
import { token } from '../../src/tools/token.ts'
import { startVault } from '../../src/tools/demo/vault.ts'
import { BILLING, ORDERS } from '../../src/tools/simulator/defaults.ts'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { environmentOf } from '../fixtures/served.ts'
import { runCommand } from './capture.ts'

const VAULT = 'https://vault.azure.net'

const simulator = await createSimulator()
afterAll(() => simulator.close())

/** Runs the command, with these settings beside those of the simulator. */
const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  runCommand(token, args, { ...environmentOf(simulator), ...env })

test('prints only the token', async () => {
  const { code, out, err } = await run([VAULT])
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(decodeJwt(out.trim())).toMatchObject({ aud: VAULT, appid: ORDERS.clientId })
})

test('prints a document with -o json', async () => {
  const document = JSON.parse((await run([VAULT, '-o', 'json'])).out)
  expect(document).toEqual({
    schemaVersion: 1,
    version: VERSION,
    accessToken: expect.any(String),
    tokenType: 'Bearer',
    resource: VAULT,
    clientId: ORDERS.clientId,
    obtainedAt: expect.stringMatching(/Z$/),
    expiresAt: expect.stringMatching(/Z$/),
  })
  // The simulator issues tokens of 3599 to 5399 seconds.
  const seconds = (Date.parse(document.expiresAt) - Date.parse(document.obtainedAt)) / 1000
  expect(Math.round(seconds / 1800)).toBeGreaterThanOrEqual(2)
  expect(Math.round(seconds / 1800)).toBeLessThanOrEqual(3)
})

test.runIf(hasCurl())('prints a configuration that curl accepts', async () => {
  const { out } = await run([VAULT, '--curl-config'])
  await using vault = await startVault(simulator)
  const curl = spawn('curl', ['--config', '-', '--silent', vault.url])
  curl.stdin.end(out)
  const body = await text(curl.stdout)
  expect(JSON.parse(body)).toMatchObject({ value: 'correct-horse' })
})

test('prints the error on standard error, and the advice to wait for a new credential', async () => {
  const { code, out, err } = await run([VAULT, '--client-id', BILLING.clientId])
  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(err).toMatch(/^wimds token: federated_credential_not_found: AADSTS700213: .* Fix: .*\n/)
  expect(err).toMatch(
    /\nwimds token: if the .* was created minutes ago, run this command again in 30 s\n$/,
  )
})

test('says when to retry after a failure that may pass', async () => {
  simulator.faults.set([{ kind: 'throttled', times: 1, retryAfterSeconds: 7 }])
  const { code, err } = await run([VAULT])
  expect(code).toBe(1)
  expect(err).toMatch(
    /^wimds token: entra_throttled: .*\nwimds token: .* run this command again in 7 s\n$/,
  )
})

const INTERNAL = { iss: 'https://kubernetes.default.svc.cluster.local' }

test.each([
  ['entra_tls', { WIMDS_CA_FILE: '' }, {}],
  ['issuer_unreachable', {}, INTERNAL],
  ['assertion_audience', { WIMDS_AUDIENCE: 'foo' }, {}],
  ['assertion_malformed', { AZURE_FEDERATED_TOKEN_FILE: 'package.json' }, {}],
])('prints the fix of %s, and does not advise to retry', async (code, env, claims) => {
  await simulator.rotateToken({ claims })
  const { err, out } = await run([VAULT], env)
  await simulator.rotateToken()
  expect(err).toMatch(new RegExp(`^wimds token: ${code}: .*Fix: .*\n$`))
  expect(out).toBe('')
})

test.each([
  [[], 'name a resource'],
  [[VAULT, 'more'], 'unexpected argument more'],
  [[VAULT, '-o', 'json', '--curl-config'], '--output or --curl-config, not both'],
  [[VAULT, '--client-id', 'me'], '--client-id must be a GUID, not "me"'],
  [['a resource'], 'the resource "a resource" is not a URI or GUID'],
])('rejects %j as bad usage', async (args, message) => {
  const { code, err } = await run(args)
  expect(code).toBe(64)
  expect(err).toContain(message)
})

function hasCurl(): boolean {
  return spawnSync('curl', ['--version']).status === 0
}
