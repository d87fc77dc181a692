import { describe, expect, test, vi } from 'vitest'
import { ask } from './callers.ts'
import { other, VAULT } from './scripted-entra.ts'
import {
  HOUR_MS,
  MAX_OF_IDENTITY,
  MAX_WAITING,
  MINUTE_MS,
  range,
  SECOND_MS,
  setUp,
  setUpLimited,
  TIMEOUT_MS,
  useFakeTime,
} from './setup.ts'

useFakeTime()

describe('a prefetched resource', () => {
  test('is refreshed without callers, also if a caller asked for it first', async () => {
    const { entra, cache, get } = setUp({ behaviour: { latencyMs: 100 } })
    void ask(get, VAULT)
    void cache.prefetch([VAULT])
    await vi.advanceTimersByTimeAsync(3 * HOUR_MS)
    expect(entra.exchanges.length).toBeGreaterThanOrEqual(6)
    expect(entra.maxInflight()).toBe(1)
    expect((await ask(get, VAULT)).tookMs).toBe(0)
  })

  test.each([
    ['runs', 100],
    ['has failed', 300],
  ])('is exchanged with retries for a caller that asks while its prefetch %s', async (_, askAt) => {
    const { entra, cache, get } = setUpLimited()
    entra.behave({ error: 'entra_unavailable', latencyMs: 200 }, { error: 'entra_unavailable' }, {})
    void cache.prefetch([VAULT])
    await vi.advanceTimersByTimeAsync(askAt)
    const answer = ask(get, VAULT)
    await vi.advanceTimersByTimeAsync(3 * SECOND_MS)
    expect(await answer).toMatchObject({ ok: true, text: `${VAULT.scope} #3` })
  })

  test('whose exchange is slow is waited for as long as any other', async () => {
    const { cache, get } = setUp({ behaviour: { latencyMs: 12_000 }, timeoutMs: TIMEOUT_MS })
    void cache.prefetch([VAULT])
    await vi.advanceTimersByTimeAsync(5 * SECOND_MS)
    const answer = ask(get, VAULT)
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS)
    expect(await answer).toMatchObject({ ok: true, tookMs: 7000 })
  })

  test('that fails with a Retry-After is not exchanged for a caller before it ends', async () => {
    const { entra, cache, get } = setUpLimited()
    entra.behave({ error: 'entra_unavailable', retryAfterMs: 20 * SECOND_MS })
    await cache.prefetch([VAULT])
    expect(await ask(get, VAULT)).toMatchObject({ text: 'entra_unavailable', tookMs: 0 })
    expect(entra.exchanges).toHaveLength(1)
  })

  test('is never evicted, and keeps the token that a caller has, although others are prefetched no longer', async () => {
    const { cache, get } = setUp({ maxEntries: 2 })
    await ask(get, VAULT)
    await cache.prefetch([other('a'), other('b')])
    await cache.prefetch([VAULT])
    for (const name of range(10)) await ask(get, other(name))
    expect((await ask(get, VAULT)).text).toBe(`${VAULT.scope} #1`)
    expect(cache.entries()).toHaveLength(3)
  })

  test('is there for a caller that gives up after a second and asks again, although Entra ID is far away', async () => {
    const { cache, get } = setUp({ behaviour: { latencyMs: 1200 } })
    void cache.prefetch([VAULT])
    const hangUp = new AbortController()
    const first = ask(get, VAULT, hangUp.signal)
    await vi.advanceTimersByTimeAsync(1000)
    hangUp.abort()
    expect(await first).toMatchObject({ text: 'AbortError', tookMs: 1000 })
    const again = ask(get, VAULT)
    await vi.advanceTimersByTimeAsync(1000)
    expect(await again).toMatchObject({ text: `${VAULT.scope} #1`, tookMs: 200 })
  })

  test('is attempted before the prefetch ends, although more are prefetched than may run or be queued', async () => {
    const { entra, cache } = setUpLimited({ maxEntries: 10 })
    entra.behave({ latencyMs: 6000 })
    const requests = range(MAX_OF_IDENTITY + MAX_WAITING + 1).map((name) => other(name))
    const countTokens = () => cache.entries().filter(({ token }) => token !== undefined).length
    const prefetched = cache.prefetch(requests).then(countTokens)
    await vi.advanceTimersByTimeAsync(10 * MINUTE_MS)
    expect(await prefetched).toBe(requests.length)
  })

  test('is retried after callers took all exchanges', async () => {
    const { entra, cache, get } = setUpLimited()
    entra.behave({ latencyMs: 6000 })
    for (const name of range(4 * MAX_OF_IDENTITY)) void ask(get, other(name))
    void cache.prefetch([VAULT])
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    expect(await ask(get, VAULT)).toMatchObject({ ok: true, tookMs: 0 })
  })

  test('is not exchanged once another list has replaced its own', async () => {
    const { entra, cache } = setUpLimited()
    entra.behave({ latencyMs: 1000 })
    void cache.prefetch(range(20).map((name) => other(name)))
    await vi.advanceTimersByTimeAsync(500)
    void cache.prefetch([])
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    expect(entra.exchanges).toHaveLength(16)
  })
})

describe('prefetching another list, as a reload of the configuration does,', () => {
  test('retries a resource that failed permanently before', async () => {
    const { entra, cache, get } = setUp({ behaviour: { error: 'resource_refused' } })
    await ask(get, VAULT)
    entra.behave({})
    await cache.prefetch([VAULT])
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    expect(entra.exchanges).toHaveLength(2)
    expect(cache.entries()[0]?.token).toBeDefined()
  })

  test('stops the refreshes of a resource that was removed, whose token is served until it expires', async () => {
    const { entra, cache, get } = setUp()
    await cache.prefetch([VAULT])
    await cache.prefetch([])
    expect(await ask(get, VAULT)).toMatchObject({ text: `${VAULT.scope} #1`, tookMs: 0 })
    await vi.advanceTimersByTimeAsync(10 * HOUR_MS)
    expect(entra.exchanges.length).toBeLessThanOrEqual(2)
    expect(cache.entries()).toHaveLength(0)
    expect(vi.getTimerCount()).toBe(0)
  })
})
