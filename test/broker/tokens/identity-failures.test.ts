import { describe, expect, test, vi } from 'vitest'
import type { GetToken } from '../../../src/broker/tokens/token.ts'
import { BILLING, ORDERS } from '../../fixtures/parts.ts'
import { type Answer, ask, askFor } from './callers.ts'
import { other, VAULT } from './scripted-entra.ts'
import {
  createProcess,
  HOUR_MS,
  MINUTE_MS,
  range,
  setUp,
  setUpLimited,
  TIMEOUT_MS,
  useFakeTime,
} from './setup.ts'

useFakeTime()

const getError = (get: GetToken, request = VAULT) => get(request).catch((error: unknown) => error)
const OF_BILLING = { ...VAULT, identity: BILLING }
const TEMPORARY = { isPermanent: false, status: 503 }
const PERMANENT = { isPermanent: true, status: 400 }

/** Makes six tries, each right after the answer to the try before, as Hadoop ABFS does. */
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

  test('is a temporary error for three minutes, and says until when, then a permanent one', async () => {
    vi.setSystemTime(Date.UTC(2026, 10, 25, 9, 58))
    const { get } = setUp({ behaviour: NOT_FOUND })
    const problem = `scripted failure: ${NOT_FOUND.error}`
    expect(await getError(get)).toMatchObject({
      code: NOT_FOUND.error,
      ...TEMPORARY,
      problem: `${problem}; until 10:01 UTC wimds answers with a temporary 503`,
      retryAfterMs: expect.toSatisfy((ms: number) => ms <= 1000),
    })
    await askFor(get, { ...asking, forMs: 3 * MINUTE_MS - 5000 })
    expect(await getError(get)).toMatchObject(TEMPORARY)
    await askFor(get, { ...asking, forMs: MINUTE_MS })
    expect(await getError(get)).toMatchObject({ code: NOT_FOUND.error, ...PERMANENT, problem })
  })

  test('has one grace for all resources of the identity, however long callers stay away', async () => {
    const { get } = setUp({ behaviour: NOT_FOUND })
    await getError(get)
    await vi.advanceTimersByTimeAsync(HOUR_MS)
    expect(await getError(get)).toMatchObject(PERMANENT)
    expect(await getError(get, other(1))).toMatchObject(PERMANENT)
    expect(await getError(get, OF_BILLING)).toMatchObject(TEMPORARY)
  })

  test('gets another grace for an assertion with another subject, and none for a rotated one', async () => {
    const { entra, cache, get } = setUp()
    const rotate = (subject: string) => {
      const assertion = { issuer: 'https://issuer.test', subject, audience: [] }
      entra.behave({ ...NOT_FOUND, entra: { aadsts: 700213, assertion } })
      cache.assertionRotated(ORDERS.tokenFile)
    }
    rotate('a')
    await askFor(get, asking)
    rotate('a')
    expect(await getError(get)).toMatchObject(PERMANENT)
    rotate('c')
    expect(await getError(get)).toMatchObject(TEMPORARY)
  })

  test('holds callers that bypass the cache for 8 s each, until the credential is there', async () => {
    const { entra, get } = setUp({ behaviour: NOT_FOUND, timeoutMs: TIMEOUT_MS })
    setTimeout(() => entra.behave({}), 15_000)
    const answers = await tryAsAbfs(get)
    expect(answers.at(-1)).toMatchObject({ ok: true })
    for (const { tookMs } of answers.slice(1)) expect(tookMs).toBeLessThanOrEqual(TIMEOUT_MS)
    expect(entra.exchanges.length).toBeLessThan(15)
  })

  test('is retried by the cache during the grace and after it, and then no caller waits, even with bypass_cache', async () => {
    const { entra, get } = setUp({ behaviour: NOT_FOUND, timeoutMs: TIMEOUT_MS })
    await askFor(get, { ...asking, everyMs: 500 })
    expect(entra.exchanges.length).toBeLessThan(30)
    const answers = await tryAsAbfs(get)
    expect(answers.map(({ tookMs }) => tookMs)).toEqual(Array(6).fill(0))
    entra.behave({ latencyMs: 100 })
    await vi.advanceTimersByTimeAsync(30_000)
    expect(await ask(get, VAULT)).toMatchObject({ ok: true, tookMs: 0 })
  })
})

describe('a throttled identity', () => {
  const THROTTLED = { error: 'entra_throttled', retryAfterMs: MINUTE_MS } as const

  test('is not exchanged for any resource before Retry-After ends; other identities are', async () => {
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
    expect(await ask(get, OF_BILLING)).toMatchObject({ ok: true })
    await vi.advanceTimersByTimeAsync(50_000)
    expect(await ask(get, other('new'))).toMatchObject({ ok: true })
  })

  test('is not exchanged through another cache of the process', async () => {
    const shared = createProcess()
    const first = setUpLimited({ shared })
    first.entra.behave(THROTTLED)
    await ask(first.get, VAULT)
    const second = setUpLimited({ shared })
    expect(await ask(second.get, other(1))).toMatchObject({ text: 'entra_throttled' })
    expect(second.entra.exchanges).toHaveLength(0)
  })
})
