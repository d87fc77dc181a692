import { decodeJwt } from 'jose'
import { readFile } from 'node:fs/promises'
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { BrokerError, type ErrorCode } from '../../../src/lib/errors.ts'
import { type Assertion, createAssertionReader } from '../../../src/broker/exchange/assertion.ts'
import { createTestExchange, type TestExchange } from './test-exchange.ts'
import { Secret } from '../../../src/lib/secret.ts'
import type { FaultInput } from '../../../src/tools/simulator/faults/faults.ts'
import { createSimulator } from '../../../src/tools/simulator/simulator.ts'
import { withPermit } from '../../../src/broker/tokens/exchange-limit.ts'
import { IdentityFailures } from '../../../src/broker/tokens/identity-failures.ts'
import { identityOf } from '../../fixtures/identity.ts'
import { movedClock } from './moved-clock.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** Long enough for a busy machine: only tests of the time limit have a shorter one. */
const NO_LIMIT_MS = 60_000
const TIME_LIMIT = new DOMException('The time limit has passed', 'TimeoutError')
const SCOPE = 'https://vault.azure.net/.default'

// Its time runs on from test to test.
const clock = movedClock()
const simulator = await createSimulator({ now: clock.wall })
afterAll(() => simulator.close())
const skews: number[] = []
const attempts: string[] = []
beforeEach(async () => {
  skews.length = 0
  attempts.length = 0
  simulator.faults.clear()
  simulator.log.clear()
  await simulator.rotateToken()
})

const request = () => ({ scope: SCOPE, identity: identityOf(simulator) })

/** Counts each POST: a second one of the same exchange has the same correlation id. */
const countPosts = () => simulator.log.counters().byTarget.token
const onSkew = (ms: number) => skews.push(ms)
const onAttempt = (code: string) => attempts.push(code)

function createExchange({
  readAssertion = createAssertionReader(),
  timeoutMs = NO_LIMIT_MS,
} = {}): TestExchange {
  const { dispatcher } = simulator
  const exchange = createTestExchange({ readAssertion, dispatcher, clock, onSkew, onAttempt })
  return (options, signal = AbortSignal.timeout(timeoutMs)) => exchange(options, signal)
}

const failure = (source: TestExchange): Promise<BrokerError> =>
  source(request()).then(
    () => expect.unreachable('the exchange succeeded'),
    (error: unknown) => {
      if (error instanceof BrokerError) return error
      throw error
    },
  )

test('exchanges the projected token with one request and no discovery', async () => {
  const token = await createExchange()(request())
  expect(decodeJwt(token.secret.reveal())).toMatchObject({
    aud: 'https://vault.azure.net',
    tid: simulator.tenantId,
  })
  expect(simulator.log.counters().byTarget).toMatchObject({ token: 1, metadata: 0 })
})

test('counts the lifetime from the start of the request, and the skew from its middle, although the clock is set', async () => {
  let passed = 0
  let wallOffset = clock.wall()
  const dispatcher = simulator.dispatcher.compose((dispatch) => (options, handler) => {
    passed += 10 * MINUTE_MS
    wallOffset -= 2 * HOUR_MS
    return dispatch(options, handler)
  })
  const source = createTestExchange({
    dispatcher,
    clock: { wall: () => wallOffset + passed, monotonic: () => passed },
    onSkew,
  })
  const { lifetime } = await source(request())
  expect(lifetime).toMatchObject({ startsAt: 0, wallOffset })
  // The simulator’s clock has not moved.
  expect(Math.abs((skews[0] ?? NaN) + 115 * MINUTE_MS)).toBeLessThan(2 * MINUTE_MS)
})

test('ignores MSAL_FORCE_REGION, which would send the assertion to another host', async () => {
  vi.stubEnv('MSAL_FORCE_REGION', 'westeurope')
  await expect(createExchange()(request())).resolves.toBeDefined()
})

const answer = (status: number, more: object = {}): FaultInput => ({
  kind: 'status',
  status,
  ...more,
})
const answerJson = (status: number, body: string) =>
  answer(status, { body, contentType: 'application/json' })
const BUSY_PAGE = { body: '<html></html>', headers: { 'retry-after': '7' } }

describe('maps the response', () => {
  test.each<[string, FaultInput, ErrorCode, number?]>([
    ['429 in plain text', { kind: 'throttled' }, 'entra_throttled', 60_000],
    ['503 in HTML', answer(503, BUSY_PAGE), 'entra_unavailable', 7000],
    ['a reset within each body', { kind: 'reset', when: 'mid-body' }, 'entra_unreachable'],
    ['garbage', answer(200, { body: '{"expires_in":35<' }), 'entra_bad_response'],
    [
      '200 with a lifetime beyond the calendar',
      answerJson(200, '{"access_token":"t","expires_in":1e15}'),
      'entra_bad_response',
    ],
    [
      'an error whose members have other types',
      answerJson(400, '{"error_codes":"700213","error_description":"AADSTS700213: no"}'),
      'federated_credential_not_found',
    ],
  ])('%s to an error code', async (_, fault, code, retryAfterMs = 0) => {
    simulator.faults.add(fault)
    const error = await failure(createExchange())
    expect(error.code).toBe(code)
    expect(error.retryAfterMs ?? 0).toBe(retryAfterMs)
    expect(countPosts()).toBe(1)
  })

  test('reads only 16 KiB of an error, since redaction takes time', async () => {
    const body = { error: 'invalid_grant', error_codes: [53003], padding: 'x'.repeat(17_000) }
    simulator.faults.add(answerJson(400, JSON.stringify(body)))
    expect((await failure(createExchange())).code).toBe('entra_bad_response')
  })

  test('redacts the assertion in errors', async () => {
    const assertion = await readFile(simulator.tokenFile, 'utf8')
    simulator.faults.add(answer(400, { body: `no: ${assertion}` }))
    const error = await failure(createExchange())
    expect(error.message).toContain('[redacted]')
    expect(JSON.stringify([error.message, error.cause])).not.toContain(assertion.slice(0, 40))
  })

  test('ignores an invalid refresh_in', async () => {
    for (const refresh of ['0', '"soon"']) {
      const body = `{"access_token":"t","expires_in":3599,"refresh_in":${refresh}}`
      simulator.faults.set([answerJson(200, body)])
      const token = await createExchange()(request())
      expect(token.refreshInMs).toBeUndefined()
    }
  })
})

test('measures no clock skew by a response that is not JSON', async () => {
  const headers = { date: new Date(0).toUTCString() }
  simulator.faults.add({ kind: 'status', status: 503, body: 'no', headers })
  await failure(createExchange())
  expect(skews).toEqual([])
})

describe('an expired projected token', () => {
  test('is not posted again until its file has another one', async () => {
    const source = createExchange()
    clock.pass(2 * HOUR_MS)
    const first = await failure(source)
    expect(first).toMatchObject({
      code: 'assertion_expired',
      isPermanent: false,
      entra: { aadsts: 700024 },
    })
    for (const _ of [1, 2, 3]) expect(await failure(source)).toBe(first)
    expect(countPosts()).toBe(1)
    await simulator.rotateToken()
    await expect(source(request())).resolves.toBeDefined()
    expect(countPosts()).toBe(2)
  })

  test('is exchanged if it has expired by the local clock only', async () => {
    const { expiresAt } = await createAssertionReader()(simulator.tokenFile)
    const late = { ...clock, wall: () => expiresAt + 10 * HOUR_MS }
    const source = createTestExchange({ dispatcher: simulator.dispatcher, clock: late })
    await expect(source(request())).resolves.toBeDefined()
  })
})

test.each<[string, (read: Assertion) => Assertion | Promise<Assertion>]>([
  // The writer does not replace the file atomically.
  ['that was cut', (read) => ({ ...read, secret: new Secret(read.secret.reveal().slice(0, -40)) })],
  [
    'whose key has been retired',
    async (read) => {
      await simulator.issuer.rotateKey()
      await simulator.rotateToken()
      simulator.issuer.retireOldKeys()
      return read
    },
  ],
])('reads an assertion %s again, and posts the one that it has now', async (_, spoil) => {
  const read = createAssertionReader()
  const stale = await spoil(await read(simulator.tokenFile))
  await simulator.rotateToken()
  const reads = [stale, await read(simulator.tokenFile)]
  const readAssertion = async () => reads.shift() ?? stale
  await expect(createExchange({ readAssertion })(request())).resolves.toBeDefined()
  expect(countPosts()).toBe(2)
})

test('posts a rejected assertion only once if its file has not changed', async () => {
  simulator.faults.add({ kind: 'aadsts', code: 50027 })
  expect(await failure(createExchange())).toMatchObject({ code: 'assertion_refused' })
  expect(countPosts()).toBe(1)
})

const never = () => new Promise<never>(() => {})

test('fails within the time limit when reading the assertion hangs', async () => {
  const error = await failure(createExchange({ readAssertion: never, timeoutMs: 50 }))
  expect(error.code).toBe('assertion_unreadable')
  expect(countPosts()).toBe(0)
})

test('blames neither the assertion nor Entra ID if the time limit has passed before the attempt starts', async () => {
  const late = AbortSignal.abort(TIME_LIMIT)
  const error = await failure((options) => createExchange()(options, late))
  expect(error).toMatchObject({ code: 'entra_timeout', fix: expect.stringContaining('CPU limit') })
  expect(countPosts()).toBe(0)
})

/** Makes an exchange that gets no complete response, and aborts it when Entra ID has received the request. */
async function abortWhenSent(
  reason?: Error,
  fault: FaultInput = { kind: 'hang' },
): Promise<BrokerError> {
  simulator.faults.add(fault)
  const caller = new AbortController()
  const exchange = createExchange()
  const outcome = failure((asked) => exchange(asked, caller.signal))
  await vi.waitUntil(() => simulator.exchanges() === 1, { timeout: NO_LIMIT_MS })
  caller.abort(reason)
  return outcome
}

test('an exchange whose response does not end fails at the time limit, and is counted', async () => {
  const fault = { kind: 'slow-body', chunkBytes: 1, everyMs: 50 } as const
  const error = await abortWhenSent(TIME_LIMIT, fault)
  expect(error).toMatchObject({
    code: 'entra_timeout',
    problem: expect.stringContaining('Entra ID at '),
  })
  expect(attempts).toEqual(['entra_timeout'])
})

test('does not count an attempt that ends because another one has', async () => {
  await abortWhenSent()
  expect(attempts).toEqual([])
})

test('a missing credential gets another grace after a token', async () => {
  const failures = new IdentityFailures(clock)
  const attempt = withPermit(createExchange(), (work) => work(), failures)
  const exchange: TestExchange = (asked) =>
    attempt(asked, AbortSignal.timeout(NO_LIMIT_MS), () => {})
  const reject = () => {
    simulator.faults.set([{ kind: 'aadsts', code: 70025 }])
    return failure(exchange)
  }
  expect(await reject()).toMatchObject({ isPermanent: false })
  clock.pass(4 * MINUTE_MS)
  await simulator.rotateToken()
  expect(await reject()).toMatchObject({ isPermanent: true })
  simulator.faults.set([])
  await exchange(request())
  expect(await reject()).toMatchObject({ isPermanent: false })
})

test('sends the correlation id of the caller', async () => {
  const correlationId = '4bf92f35-77b3-4da6-a3ce-929d0e0e4736'
  await createExchange()({ ...request(), correlationId })
  const sent = simulator.log.entries().filter(({ target }) => target === 'token')
  expect(sent.map((entry) => entry.correlationId)).toEqual([correlationId])
})
