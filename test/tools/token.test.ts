import { execFileSync, spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { decodeJwt } from 'jose'
import { afterAll, describe, expect, test } from 'vitest'
import { VERSION } from '../../src/lib/version.ts'
import { token } from '../../src/tools/token.ts'
import { startVault } from '../../src/tools/demo/vault.ts'
import { BILLING, ORDERS, TENANT_ID } from '../../src/tools/simulator/defaults.ts'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { environmentOf } from '../fixtures/served.ts'
import { captureIo } from './capture.ts'

const VAULT = 'https://vault.azure.net'

const simulator = await createSimulator()
afterAll(() => simulator.close())

/** Runs the command; `pauses` has its waits, which take no time. */
async function run(...args: readonly string[]) {
  const io = captureIo(environmentOf(simulator))
  const pauses: number[] = []
  const code = await token(args, io, { pause: async (ms) => void pauses.push(ms) })
  return { code, out: io.out(), err: io.err(), pauses }
}

test('prints only the token', async () => {
  const { code, out, err } = await run(VAULT)
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(decodeJwt(out.trim())).toMatchObject({ aud: VAULT, appid: ORDERS.clientId })
})

test('prints a document with -o json', async () => {
  const document = JSON.parse((await run(VAULT, '-o', 'json')).out)
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
  const { exp = 0 } = decodeJwt(document.accessToken)
  // The exchange, whose duration is the difference, may be slow on a busy machine.
  expect(Math.abs(Date.parse(document.expiresAt) / 1000 - exp)).toBeLessThan(90)
})

test.runIf(hasCurl())('prints a configuration that curl accepts', async () => {
  const { out } = await run(VAULT, '--curl-config')
  await using vault = await startVault(simulator)
  const curl = spawn('curl', ['--config', '-', '--silent', vault.url])
  curl.stdin.end(out)
  const body = await text(curl.stdout)
  expect(JSON.parse(body)).toMatchObject({ value: 'correct-horse' })
})

test('prints the error on standard error', async () => {
  const { code, out, err } = await run(VAULT, '--client-id', BILLING.clientId)
  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(err).toMatch(
    /^wimds token: federated_credential_not_found: AADSTS700213: .* Fix: create a federated credential with subject system:serviceaccount:/,
  )
})

test('says when a failure may pass, and does not repeat it unasked', async () => {
  simulator.faults.set([{ kind: 'throttled', times: 1, retryAfterSeconds: 7 }])
  const { code, err, pauses } = await run(VAULT)
  expect({ code, pauses }).toEqual({ code: 1, pauses: [] })
  expect(err).toMatch(/^wimds token: entra_throttled: /)
  expect(err).toContain(
    '\nwimds token: this failure may pass: run it again in 7 s, or with --wait 5m\n',
  )
})

test('does not say that a file without a token may pass', async () => {
  const io = captureIo({ ...environmentOf(simulator), AZURE_FEDERATED_TOKEN_FILE: 'package.json' })
  expect(await token([VAULT], io)).toBe(1)
  expect(io.err()).toMatch(/^wimds token: assertion_malformed: .*\n$/)
})

const pause = () => Promise.reject(new Error('there is no pause'))
const INTERNAL = { iss: 'https://kubernetes.default.svc.cluster.local' }

describe('--wait does not repeat the exchange, and names the fix, for', () => {
  test.each([
    ['entra_tls', { WIMDS_CA_FILE: '' }, {}, /Fix: .*set WIMDS_CA_FILE to /],
    ['issuer_unreachable', {}, INTERNAL, /az aks update .*restart the pod$/],
    [
      'assertion_audience',
      { WIMDS_AUDIENCE: 'foo' },
      {},
      /Fix: correct WIMDS_AUDIENCE, or set the audience of the projected volume to foo$/,
    ],
  ])('%s', async (code, env, claims, fix) => {
    await simulator.rotateToken({ claims })
    try {
      for (const flags of [[], ['--wait', '5m']]) {
        const io = captureIo({ ...environmentOf(simulator), ...env })
        expect(await token([VAULT, ...flags], io, { pause })).toBe(1)
        const [line = '', ...others] = io.err().split('\n')
        expect(line).toMatch(new RegExp(`^wimds token: ${code}: `))
        expect(line).toMatch(fix)
        expect({ others, out: io.out() }).toEqual({ others: [''], out: '' })
      }
    } finally {
      await simulator.rotateToken()
    }
  })
})

test('--wait repeats a failure that may pass, not before its Retry-After', async () => {
  simulator.faults.set([{ kind: 'throttled', times: 2, retryAfterSeconds: 7 }])
  const { code, out, err, pauses } = await run(VAULT, '--wait', '1m')
  expect(code).toBe(0)
  expect(decodeJwt(out.trim())).toMatchObject({ aud: VAULT })
  expect(pauses).toEqual([7000, 7000])
  expect(err).toMatch(/[^.]; the next attempt is in 7 s\n/)
})

test('--wait ends in time, and at once for a failure that stays', async () => {
  simulator.faults.set([{ kind: 'throttled', times: 9, retryAfterSeconds: 40 }])
  const { code, pauses } = await run(VAULT, '--wait', '1m')
  simulator.faults.set([])
  expect({ code, pauses }).toEqual({ code: 1, pauses: [40_000] })
  const unknown = await run('https://unknown.example', '--wait', '1m')
  expect(unknown).toMatchObject({ code: 1, pauses: [] })
})

test('--wait outlasts the propagation of a federated credential', async () => {
  const { code, err, pauses } = await run(VAULT, '--client-id', BILLING.clientId, '--wait', '2m')
  expect(code).toBe(1)
  expect(pauses.length).toBeGreaterThan(4)
  expect(pauses.reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(120_000)
  expect(err).toContain('federated_credential_not_found')
})

test('fails for a client id that Entra ID does not know', async () => {
  const { code, err } = await run(VAULT, '--client-id', TENANT_ID)
  expect(code).toBe(1)
  expect(err).toContain('application_refused')
})

test.each([
  [[], 'name a resource'],
  [[`--resource=${VAULT}`], 'name a resource'],
  [[VAULT, 'more'], 'unexpected argument more'],
  [[VAULT, '--wait', 'soon'], '--wait must be a duration such as'],
  [[VAULT, '-o', 'json', '--curl-config'], '--output or --curl-config, not both'],
  [[VAULT, '--client-id', 'me'], '--client-id must be a GUID, not "me"'],
  [['a resource'], 'the resource "a resource" is not a URI or GUID'],
])('rejects %j as bad usage', async (args, message) => {
  await expect(run(...args)).rejects.toThrow(message)
})

function hasCurl(): boolean {
  try {
    execFileSync('curl', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
