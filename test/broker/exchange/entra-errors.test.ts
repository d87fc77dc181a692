import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { type BrokerError, toBrokerError } from '../../../src/lib/errors.ts'
import { parseEntraError } from '../../../src/broker/exchange/entra-errors.ts'
import { identityOf } from '../../fixtures/identity.ts'
import { createTestExchange } from './test-exchange.ts'
import { createSimulator } from '../../../src/tools/simulator/simulator.ts'

/** The time of Entra ID and of this machine, which stand still: an exchange may take long on a busy machine. */
const NOW = Date.parse('2026-11-28T12:00:00Z')

const simulator = await createSimulator({ now: () => NOW })
afterAll(() => simulator.close())
beforeEach(async () => {
  simulator.faults.clear()
  await simulator.rotateToken()
})

async function rejection(): Promise<BrokerError> {
  const exchange = createTestExchange({
    dispatcher: simulator.dispatcher,
    clock: { wall: () => NOW, monotonic: () => 0 },
  })
  return exchange({
    identity: identityOf(simulator),
    scope: 'https://vault.azure.net/.default',
  }).then(() => expect.unreachable('the exchange succeeded'), toBrokerError)
}

/** Makes Entra ID answer an error of about this length. */
function answerWith(status: number, length: number): void {
  const body = { error: 'invalid_grant', padding: 'x'.repeat(length), error_codes: [53003] }
  simulator.faults.set([{ kind: 'status', status, body: JSON.stringify(body) }])
}

/** Makes Entra ID answer this AADSTS code. */
function answerAadsts(aadsts: number): void {
  const body = {
    error: 'invalid_client',
    error_description: `AADSTS${aadsts}: no.`,
    error_codes: [aadsts],
  }
  simulator.faults.set([{ kind: 'status', status: 401, body: JSON.stringify(body) }])
}

const MINUTE_MS = 60_000

test('keeps no more of the claims of a token than a credential may have', async () => {
  const subject = 'a'.repeat(40_000)
  const error = parseEntraError(
    {
      status: 401,
      headers: {},
      text: '',
      date: NOW,
      json: { error: 'invalid_client', error_codes: [700213] },
    },
    {
      issuer: `https://issuer.test/${subject}`,
      subject,
      audience: Array(1000).fill('b'),
      expiresAt: NOW + MINUTE_MS,
    },
    NOW,
  )
  expect(error.code).toBe('federated_credential_not_found')
  expect(JSON.stringify([error.message, error.entra]).length).toBeLessThan(4000)
})

test('says for how long Entra ID asks to wait', async () => {
  simulator.faults.add({ kind: 'throttled', retryAfterSeconds: 3600 })
  const { message, retryAfterMs } = await rejection()
  expect(message).toMatch(/; Entra ID asks to wait 3600 s\. Fix: wait/)
  expect(retryAfterMs).toBe(50 * MINUTE_MS)
})

test('truncates the error and the ids of a response', async () => {
  const long = 'x '.repeat(2000)
  const body = { error: long, trace_id: long, correlation_id: long, error_codes: [53003] }
  simulator.faults.add({ kind: 'status', status: 400, body: JSON.stringify(body) })
  const text = 'x '.repeat(50)
  const { assertion: _, ...ids } = (await rejection()).entra ?? {}
  expect(ids).toEqual({
    error: text,
    aadsts: 53003,
    traceId: text,
    correlationId: text,
  })
})

test('reads 16 KiB of an error, since redaction takes time', async () => {
  answerWith(400, 16_000)
  expect((await rejection()).code).toBe('policy_refused')
  answerWith(400, 17_000)
  expect(await rejection()).toMatchObject({
    code: 'entra_bad_response',
    message: expect.stringMatching(/^the token endpoint answered 400 "\{/),
  })
  answerWith(503, 200_000)
  expect((await rejection()).code).toBe('entra_unavailable')
})

test('scrubs and truncates the page of another server', async () => {
  const rest = ' x'.repeat(500)
  const body = `<p>${'aB3'.repeat(20)} http://user:password@proxy</p>${rest}`
  simulator.faults.add({ kind: 'status', status: 503, body })
  const shown = `<p>[redacted] http://[redacted]@proxy</p>${rest}`.slice(0, 200).trim()
  const { problem } = await rejection()
  expect(problem).toBe(`the token endpoint answered 503 ${JSON.stringify(shown)}`)
})

test('compares a Retry-After date with Entra’s clock', async () => {
  const entraTime = NOW + 20 * MINUTE_MS
  const headers = {
    date: new Date(entraTime).toUTCString(),
    'retry-after': new Date(entraTime + 90_000).toUTCString(),
  }
  simulator.faults.add({ kind: 'status', status: 429, headers })
  expect((await rejection()).retryAfterMs).toBe(90_000)
})

test.each<[string, number | undefined]>([
  [' 7\t', 7000],
  // 50 minutes at most, which jitter makes an hour.
  ['9'.repeat(400), 50 * MINUTE_MS],
  ['in 2100', undefined],
  ['1.5', undefined],
])('reads a Retry-After of %j as %s ms', async (value, ms) => {
  simulator.faults.add({ kind: 'status', status: 429, headers: { 'retry-after': value } })
  expect((await rejection()).retryAfterMs).toBe(ms)
})

test.each([
  [7_200_000, 'assertion_expired', 'the clock of this machine is 7200 s behind'],
  [-900_000, 'assertion_not_yet_valid', 'the clock of this machine is 900 s ahead of'],
])(
  'names the clock of a node that is %d ms off, and not the kubelet',
  async (offsetMs, code, text) => {
    simulator.faults.add({ kind: 'clock', offsetMs })
    expect(await rejection()).toMatchObject({
      code,
      status: 503,
      entra: { aadsts: 700024 },
      problem: expect.stringContaining(text),
      fix: expect.stringContaining('NTP'),
    })
  },
)

const INTERNAL = 'https://kubernetes.default.svc.cluster.local'

describe('a token of an issuer that is internal to the cluster', () => {
  test.each([
    ['has no federated credential', 700211],
    ['has one with another subject', 700213],
    ['has an issuer that Entra ID cannot read', 50166],
  ])('cannot work when the identity %s', async (_, aadsts) => {
    await simulator.rotateToken({ claims: { iss: INTERNAL } })
    answerAadsts(aadsts)
    expect(await rejection()).toMatchObject({
      code: 'issuer_unreachable',
      isPermanent: true,
      status: 400,
      entra: { aadsts },
      problem: `AADSTS${aadsts}: no. Entra ID cannot reach the issuer ${INTERNAL}, which is internal to the cluster`,
      fix: expect.stringContaining('--enable-oidc-issuer'),
    })
  })

  test.each([
    [700016, 'application_refused', true],
    [53003, 'policy_refused', true],
    // Entra ID has read the keys of the issuer.
    [7000272, 'issuer_unreachable', false],
  ])('keeps the error of AADSTS%d', async (aadsts, code, isPermanent) => {
    await simulator.rotateToken({ claims: { iss: INTERNAL } })
    answerAadsts(aadsts)
    expect(await rejection()).toMatchObject({ code, isPermanent })
  })
})

test('an issuer that Entra ID cannot read for now is temporary', async () => {
  answerAadsts(50166)
  expect(await rejection()).toMatchObject({ code: 'issuer_unreachable', isPermanent: false })
})
