import { decodeJwt } from 'jose'
import { readFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BrokerError } from '../../src/errors.ts'
import { createAssertionReader } from '../../src/exchange/assertion.ts'
import { createEntraExchange } from '../../src/exchange/entra.ts'
import { createMsalNetworkClient } from '../../src/exchange/http-client.ts'
import { Secret } from '../../src/secret.ts'
import type { FaultInput } from '../../src/simulator/faults/faults.ts'
import { createSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import type { TokenSource } from '../../src/tokens/token.ts'
import { identityOf } from '../fixtures/identity.ts'
import { movedClock } from './moved-clock.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const SCOPE = 'https://vault.azure.net/.default'

let world: Simulator
let clock: ReturnType<typeof movedClock>
const skews: number[] = []
beforeEach(async () => {
  clock = movedClock()
  skews.length = 0
  world = await createSimulator({ ports: false, now: clock.truth })
})
afterEach(() => world.close())

const request = () => ({ scope: SCOPE, identity: identityOf(world) })

const onSkew = (ms: number) => skews.push(ms)

function exchangeOf({
  readAssertion = createAssertionReader(),
  timeoutMs = 2000,
} = {}): TokenSource {
  return createEntraExchange({
    readAssertion,
    dispatcher: world.dispatcher,
    clock,
    timeoutMs,
    onSkew,
  })
}

const failure = (source: TokenSource): Promise<BrokerError> =>
  source(request()).then(
    () => expect.unreachable('a token came'),
    (error: unknown) => {
      if (error instanceof BrokerError) return error
      throw error
    },
  )

test('exchanges the projected token with one request and no discovery', async () => {
  const token = await exchangeOf()(request())
  expect(decodeJwt(token.secret.reveal())).toMatchObject({
    aud: 'https://vault.azure.net',
    tid: world.tenantId,
  })
  expect(world.log.counters().byTarget).toMatchObject({ token: 1, metadata: 0 })
  expect(token.expiresAt - token.obtainedAt).toBe(token.lifetimeMs)
})

describe('what Entra ID or something before it answers', () => {
  test.each<[string, FaultInput, { code: string; retryAfterMs?: number }, number]>([
    [
      '429 in plain text',
      { kind: 'throttled' },
      { code: 'entra_throttled', retryAfterMs: 60_000 },
      1,
    ],
    [
      '429 with a date',
      { kind: 'throttled', retryAfterSeconds: 90, retryAfterAsDate: true },
      { code: 'entra_throttled', retryAfterMs: 90_000 },
      1,
    ],
    ['429 without Retry-After', { kind: 'status', status: 429 }, { code: 'entra_throttled' }, 1],
    ['503 in JSON', { kind: 'unavailable' }, { code: 'entra_unavailable' }, 1],
    [
      '503 in HTML',
      { kind: 'unavailable', body: 'html', retryAfterSeconds: 7 },
      { code: 'entra_unavailable', retryAfterMs: 7000 },
      1,
    ],
    [
      '503 without a body',
      { kind: 'unavailable', body: 'empty' },
      { code: 'entra_unavailable' },
      1,
    ],
    ['502 of a gateway', { kind: 'status', status: 502 }, { code: 'entra_unavailable' }, 1],
    ['nothing at all', { kind: 'hang' }, { code: 'entra_timeout' }, 1],
    [
      'a body that does not end',
      { kind: 'slow-body', chunkBytes: 1, everyMs: 50 },
      { code: 'entra_timeout' },
      1,
    ],
    ['a reset each time', { kind: 'reset' }, { code: 'entra_unreachable' }, 2],
    [
      'a reset within each body',
      { kind: 'reset', when: 'mid-body' },
      { code: 'entra_unreachable' },
      2,
    ],
    ['garbage', { kind: 'garbage' }, { code: 'entra_bad_response' }, 1],
    ['a megabyte', { kind: 'oversized', bytes: 1_000_000 }, { code: 'entra_bad_response' }, 1],
    [
      'a redirect to another host',
      { kind: 'redirect', to: 'https://evil.test/token' },
      { code: 'entra_redirected' },
      1,
    ],
    [
      'a redirect with the method kept',
      { kind: 'redirect', to: 'https://evil.test/token', status: 308 },
      { code: 'entra_redirected' },
      1,
    ],
    ['200 without a token', { kind: 'missing-fields' }, { code: 'entra_bad_response' }, 1],
    [
      '200 without a lifetime',
      { kind: 'missing-fields', fields: ['expires_in'] },
      { code: 'entra_bad_response' },
      1,
    ],
    [
      '200 with a lifetime beyond the calendar',
      {
        kind: 'status',
        status: 200,
        contentType: 'application/json',
        body: '{"access_token":"t","expires_in":1e15}',
      },
      { code: 'entra_bad_response' },
      1,
    ],
    ['204', { kind: 'status', status: 204 }, { code: 'entra_bad_response' }, 1],
    [
      'a page of a captive proxy',
      { kind: 'status', status: 200, body: '<html>', contentType: 'text/html' },
      { code: 'entra_bad_response' },
      1,
    ],
    [
      'a refusal whose members have other types',
      {
        kind: 'status',
        status: 400,
        contentType: 'application/json',
        body: '{"error":"invalid_client","error_codes":"700213","error_description":"AADSTS700213: no"}',
      },
      { code: 'federated_credential_not_found' },
      1,
    ],
  ])('%s', async (_, fault, expected, exchanges) => {
    world.faults.add(fault)
    const error = await failure(exchangeOf({ timeoutMs: 300 }))
    expect({ code: error.code }).toEqual({ code: expected.code })
    const retryAfterMs = error.retryAfterMs ?? 0
    // A date has whole seconds.
    expect(Math.abs(retryAfterMs - (expected.retryAfterMs ?? 0))).toBeLessThanOrEqual(1000)
    expect(world.exchanges()).toBe(exchanges)
  })

  test('the assertion is in no error, whatever is answered', async () => {
    const assertion = await readFile(world.tokenFile, 'utf8')
    world.faults.add({ kind: 'status', status: 400, body: `no: ${assertion}` })
    const error = await failure(exchangeOf())
    expect(error.message).toContain('[redacted]')
    expect(JSON.stringify([error.message, error.cause])).not.toContain(assertion.slice(0, 40))
  })

  test('a connection that broke once is not noticed', async () => {
    world.faults.add({ kind: 'reset', times: 1 })
    await expect(exchangeOf()(request())).resolves.toBeDefined()
    expect(world.exchanges()).toBe(2)
  })

  test('a refresh_in that makes no sense does not lose the token', async () => {
    for (const refresh of ['0', '-5', '"soon"', 'null', '[]']) {
      const body = `{"access_token":"t","expires_in":3599,"refresh_in":${refresh}}`
      const contentType = 'application/json'
      world.faults.set([{ kind: 'status', status: 200, body, contentType }])
      const token = await exchangeOf()(request())
      expect(token.refreshInMs).toBeUndefined()
    }
  })
})

test('a date in Retry-After is held against Entra’s clock, not the local one', async () => {
  clock.jump(-20 * MINUTE_MS)
  const headers = {
    date: new Date(clock.truth()).toUTCString(),
    'retry-after': new Date(clock.truth() + 90_000).toUTCString(),
  }
  world.faults.add({ kind: 'status', status: 429, headers })
  expect((await failure(exchangeOf())).retryAfterMs).toBe(90_000)
})

test.each(['garbage 5000', 'max-age=3600', 'in 2100', '-5', '1.5', '60s', '60, 60'])(
  'a Retry-After of %j asks for nothing',
  async (value) => {
    world.faults.add({ kind: 'status', status: 429, headers: { 'retry-after': value } })
    expect((await failure(exchangeOf())).retryAfterMs).toBeUndefined()
  },
)

test('a Retry-After of any number of seconds is taken for an hour at most', async () => {
  world.faults.add({ kind: 'status', status: 429, headers: { 'retry-after': '9'.repeat(400) } })
  expect((await failure(exchangeOf())).retryAfterMs).toBe(HOUR_MS)
})

test.each([0, 5 * MINUTE_MS, -5 * MINUTE_MS])('measures a skew of %d ms', async (offsetMs) => {
  world.faults.add({ kind: 'clock', offsetMs })
  await world.rotateToken({ lifetimeSeconds: 7200 })
  await exchangeOf()(request()).catch(() => {})
  const [skew = NaN] = skews
  expect(Math.abs(skew + offsetMs)).toBeLessThanOrEqual(600)
})

test('an answer that is not Entra’s says nothing of its clock', async () => {
  const headers = { date: new Date(0).toUTCString() }
  world.faults.add({ kind: 'status', status: 503, body: 'no', headers })
  await failure(exchangeOf())
  expect(skews).toEqual([])
})

describe('an expired projected token', () => {
  test('is an error of its own once Entra ID refused it, which says what to do', async () => {
    clock.pass(2 * HOUR_MS)
    const error = await failure(exchangeOf())
    expect(error).toMatchObject({
      code: 'assertion_expired',
      isPermanent: false,
      entra: { aadsts: 700024 },
    })
    expect(error.message).toContain('kubelet')
  })

  test('is none by the local clock alone', async () => {
    const { expiresAt } = await createAssertionReader()(world.tokenFile)
    const late = { ...clock, wall: () => expiresAt + 10 * HOUR_MS }
    const source = createEntraExchange({
      readAssertion: createAssertionReader(),
      dispatcher: world.dispatcher,
      clock: late,
      timeoutMs: 2000,
    })
    await expect(source(request())).resolves.toBeDefined()
  })

  test('that is renewed while it is refused is exchanged at once', async () => {
    const stale = await createAssertionReader()(world.tokenFile)
    clock.pass(2 * HOUR_MS)
    await world.rotateToken()
    const looks = [stale, await createAssertionReader()(world.tokenFile)]
    await expect(
      exchangeOf({ readAssertion: async () => looks.shift() ?? stale })(request()),
    ).resolves.toBeDefined()
    expect(world.exchanges()).toBe(2)
  })

  test('that is not renewed is not exchanged twice', async () => {
    clock.pass(2 * HOUR_MS)
    await failure(exchangeOf())
    expect(world.exchanges()).toBe(1)
  })
})

const never = () => new Promise<never>(() => {})

test('a file system that hangs is not waited for longer than the exchange may take', async () => {
  const error = await failure(exchangeOf({ readAssertion: never, timeoutMs: 50 }))
  expect(error.code).toBe('assertion_unreadable')
  expect(world.exchanges()).toBe(0)
})

test('the signal of the one who asks ends the exchange, too', async () => {
  world.faults.add({ kind: 'hang' })
  const source = exchangeOf()
  const outcome = source(request(), AbortSignal.timeout(50))
  await expect(outcome).rejects.toMatchObject({ code: 'entra_timeout' })
})

test.each(['https://evil.test/token', 'http://login.test/token', 'https://login.test:444/token'])(
  'the assertion is not sent to %s by an exchange with https://login.test',
  async (url) => {
    const { dispatcher } = world
    const { signal } = new AbortController()
    const network = createMsalNetworkClient({
      dispatcher,
      allowedHost: 'login.test',
      assertion: new Secret('x'),
      signal,
    })
    const sent = network.module.sendPostRequestAsync(url, { body: 'client_assertion=x' })
    await expect(sent).rejects.toMatchObject({ code: 'entra_host_not_allowed' })
    expect(network.answer()).toBeUndefined()
  },
)
