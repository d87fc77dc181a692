import { describe, expect, test, vi } from 'vitest'
import { BrokerError, type ErrorCode } from '../../../src/lib/errors.ts'
import { TokenCache } from '../../../src/broker/tokens/token-cache.ts'
import type { GetToken } from '../../../src/broker/tokens/token.ts'
import { ORDERS } from '../../fixtures/parts.ts'
import { type Answer, ask, askFor } from './callers.ts'
import { other, VAULT } from './scripted-entra.ts'
import {
  CACHE_OPTIONS,
  createAttempt,
  createProcess,
  HOUR_MS,
  MINUTE_MS,
  range,
  setUp,
  setUpLimited,
  startSingle,
  TIMEOUT_MS,
  useFakeTime,
} from './setup.ts'

useFakeTime()

const getError = (get: GetToken, request = VAULT) => get(request).catch((error: unknown) => error)
const REPORTS = {
  identity: { ...ORDERS, clientId: '22222222-2222-4222-8222-222222222222' },
  scope: VAULT.scope,
}
const TEMPORARY = { isPermanent: false, status: 503 }
const PERMANENT = { isPermanent: true, status: 400 }

/** Six tries, each right after the answer of the one before, as Hadoop ABFS makes them. */
async function tryAsAbfs(get: GetToken) {
  const answers: Answer[] = []
  while (answers.length < 6 && answers.at(-1)?.ok !== true) {
    const answer = ask(get, { ...VAULT, bypassCache: true })
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS)
    answers.push(await answer)
  }
  return answers
}

describe('a federated credential that is not found', () => {
  const NOT_FOUND = { error: 'federated_credential_not_found', retryAfterMs: HOUR_MS } as const
  const asking = { forMs: 4 * MINUTE_MS, everyMs: 5000 }

  test('is a temporary error for three minutes, then a permanent one', async () => {
    const { get } = setUp({ behaviour: NOT_FOUND })
    expect(await getError(get)).toMatchObject({ code: NOT_FOUND.error, ...TEMPORARY })
    await askFor(get, { ...asking, forMs: 3 * MINUTE_MS - 5000 })
    expect(await getError(get)).toMatchObject(TEMPORARY)
    await askFor(get, { ...asking, forMs: MINUTE_MS })
    expect(await getError(get)).toMatchObject({
      code: NOT_FOUND.error,
      message: expect.not.stringContaining('temporary'),
      ...PERMANENT,
    })
  })

  test('has one grace for all resources of the identity, however long callers stay away', async () => {
    const { get } = setUp({ behaviour: NOT_FOUND })
    await getError(get)
    await vi.advanceTimersByTimeAsync(HOUR_MS)
    expect(await getError(get)).toMatchObject(PERMANENT)
    expect(await getError(get, other(1))).toMatchObject(PERMANENT)
    expect(await getError(get, REPORTS)).toMatchObject(TEMPORARY)
  })

  test('gets another grace after a token of any resource: the nodes of Entra ID differ', async () => {
    const { entra, get } = setUp({ behaviour: NOT_FOUND })
    await askFor(get, asking)
    entra.behave({})
    expect(await ask(get, other(1))).toMatchObject({ ok: true })
    entra.behave(NOT_FOUND)
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    expect(await getError(get)).toMatchObject(TEMPORARY)
  })

  test('gets another grace for an assertion with another subject, and none for a rotated one', async () => {
    const entra = createRejecting('federated_credential_not_found', 700213)
    const cache = createCache(entra)
    const { get } = cache
    await askFor(get, asking)
    cache.assertionRotated(ORDERS.tokenFile)
    expect(await getError(get)).toMatchObject(PERMANENT)
    entra.assertion.subject = 'c'
    cache.assertionRotated(ORDERS.tokenFile)
    expect(await getError(get)).toMatchObject(TEMPORARY)
  })

  test.each<[ErrorCode, number, object]>([
    ['application_refused', 700011, TEMPORARY],
    ['application_refused', 700016, TEMPORARY],
    ['application_refused', 7000229, TEMPORARY],
    ['application_refused', 7000112, PERMANENT],
    ['federated_credential_mismatch', 700212, TEMPORARY],
    ['federated_credential_mismatch', 7002138, PERMANENT],
  ])('has the grace of what may be new: %s (AADSTS%i)', async (code, aadsts, expected) => {
    const { get } = createCache(createRejecting(code, aadsts))
    expect(await getError(get)).toMatchObject(expected)
    await askFor(get, asking)
    expect(await getError(get)).toMatchObject(PERMANENT)
  })

  test('has no grace if the issuer is internal to the cluster', async () => {
    const entra = createRejecting('issuer_unreachable', 700212)
    expect(await getError(createCache({ ...entra, isPermanent: true }).get)).toMatchObject(
      PERMANENT,
    )
  })

  test('says before the fix until when it is temporary', async () => {
    vi.setSystemTime(Date.UTC(2026, 10, 25, 9, 58))
    const { get } = createCache(createRejecting('federated_credential_not_found', 70025))
    expect(await getError(get)).toMatchObject({
      message: 'no; until 10:01 UTC wimds answers with a temporary 503. Fix: create it',
      retryAfterMs: expect.toSatisfy((ms: number) => ms <= 1000),
    })
  })

  test('holds callers that bypass the cache for 8 s each, until the credential is there', async () => {
    const { entra, get } = setUp({ behaviour: NOT_FOUND, timeoutMs: TIMEOUT_MS })
    setTimeout(() => entra.behave({}), 15_000)
    const answers = await tryAsAbfs(get)
    expect(answers.at(-1)).toMatchObject({ ok: true })
    for (const { tookMs } of answers.slice(1)) expect(tookMs).toBeLessThanOrEqual(TIMEOUT_MS)
    expect(entra.exchanges.length).toBeLessThan(15)
  })

  test('makes no more exchanges for a caller whose key was evicted', async () => {
    const { entra, get } = setUp({ behaviour: NOT_FOUND, timeoutMs: TIMEOUT_MS, maxEntries: 1 })
    await ask(get, VAULT)
    const held = ask(get, { ...VAULT, bypassCache: true })
    await ask(get, REPORTS)
    await ask(get, VAULT)
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS)
    expect(await held).toMatchObject({ text: NOT_FOUND.error })
    expect(entra.exchanges.length).toBeLessThan(12)
  })

  test('answers callers that bypass the cache at once after the grace', async () => {
    const { get } = setUp({ behaviour: NOT_FOUND, timeoutMs: TIMEOUT_MS })
    await askFor(get, asking)
    const answers = await tryAsAbfs(get)
    expect(answers.map(({ tookMs }) => tookMs)).toEqual(Array(6).fill(0))
  })

  test('is retried by the cache during the grace and after it, and no caller waits', async () => {
    const { entra, get } = setUp({ behaviour: NOT_FOUND })
    await askFor(get, { ...asking, everyMs: 500 })
    expect(entra.exchanges.length).toBeLessThan(30)
    entra.behave({ latencyMs: 100 })
    await vi.advanceTimersByTimeAsync(30_000)
    expect(await ask(get, VAULT)).toMatchObject({ ok: true, tookMs: 0 })
  })
})

describe('a throttled identity', () => {
  const THROTTLED = { error: 'entra_throttled', retryAfterMs: MINUTE_MS } as const

  test('is not exchanged for any resource before Retry-After', async () => {
    const { entra, get } = setUp({ behaviour: THROTTLED })
    await ask(get, VAULT)
    await vi.advanceTimersByTimeAsync(10_000)
    const answers = await Promise.all(range(30).map((index) => ask(get, other(index))))
    expect(entra.exchanges).toHaveLength(1)
    for (const { text, retryAfterMs } of answers) {
      expect(text).toBe('entra_throttled')
      expect(retryAfterMs).toBeGreaterThanOrEqual(50_000)
      expect(retryAfterMs).toBeLessThanOrEqual(60_000)
    }
    entra.behave({})
    await vi.advanceTimersByTimeAsync(50_000)
    expect(await ask(get, other('new'))).toMatchObject({ ok: true })
  })

  test('is not exchanged for others while one exchange waits for a short Retry-After', async () => {
    const { entra, get } = setUpLimited()
    entra.behave({ error: 'entra_throttled', retryAfterMs: 2000 }, {})
    const first = ask(get, VAULT)
    await vi.advanceTimersByTimeAsync(100)
    const others = range(20).map((index) => ask(get, other(index)))
    await vi.advanceTimersByTimeAsync(1800)
    expect(entra.exchanges).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1000)
    const answers = await Promise.all([first, ...others])
    expect(answers.every(({ ok }) => ok)).toBe(true)
  })

  test('is not exchanged for another cache of the process', async () => {
    const shared = createProcess()
    const first = setUpLimited({ shared })
    first.entra.behave(THROTTLED)
    await ask(first.get, VAULT)
    const second = setUpLimited({ shared })
    expect(await ask(second.get, other(1))).toMatchObject({ text: 'entra_throttled' })
    expect(second.entra.exchanges).toHaveLength(0)
  })

  test('leaves other identities alone', async () => {
    const { entra, get } = setUp({ behaviour: THROTTLED })
    await ask(get, VAULT)
    entra.behave({})
    expect(await ask(get, REPORTS)).toMatchObject({ ok: true })
  })
})

interface Rejecting {
  readonly code: ErrorCode
  readonly aadsts: number
  readonly isPermanent?: boolean
  readonly assertion: { issuer: string; subject: string }
}

function createRejecting(code: ErrorCode, aadsts: number): Rejecting {
  return { code, aadsts, assertion: { issuer: 'https://issuer.test', subject: 'a' } }
}

/** Creates a cache of an Entra ID that rejects every exchange. */
function createCache(entra: Rejecting) {
  const reject = () => {
    const { code, aadsts, isPermanent, assertion } = entra
    const claims = { ...assertion, audience: [] }
    const options = { fix: 'create it', entra: { aadsts, assertion: claims } }
    const error = new BrokerError(code, 'no', options)
    return Promise.reject(isPermanent === undefined ? error : error.with({ isPermanent }))
  }
  const attempt = createAttempt(reject)
  const cache = new TokenCache(startSingle(attempt, CACHE_OPTIONS), {
    ...CACHE_OPTIONS,
    maxEntries: 9,
  })
  return Object.assign(cache, { get: cache.createGet(Infinity) })
}
