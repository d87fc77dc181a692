import { describe, expect, test, vi } from 'vitest'
import type { ErrorCode } from '../../../src/lib/errors.ts'
import { ask, askFor, slowest, textsOf } from './callers.ts'
import { VAULT } from './scripted-entra.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS, setUp, TIMEOUT_MS, useFakeTime } from './setup.ts'

useFakeTime()

const failures = ({ cache }: ReturnType<typeof setUp>) =>
  cache.entries().flatMap(({ failure }) => failure?.error.code ?? [])

describe('while a valid token is cached', () => {
  test.each<ErrorCode>(['entra_timeout', 'overloaded'])(
    'every caller gets it at once although every refresh fails with %s',
    async (error) => {
      const { entra, get, refreshes } = setUp()
      await ask(get, VAULT)
      entra.behave({ error, latencyMs: 8000 })
      const answers = await askFor(get, { forMs: 59 * MINUTE_MS, everyMs: 5000 })
      expect(textsOf(answers)).toEqual([`${VAULT.scope} #1`])
      expect(slowest(answers)).toBe(0)
      // The refreshes fail for half an hour, with backoff, and each failure is reported.
      expect(entra.exchanges.length).toBeGreaterThan(3)
      expect(entra.exchanges.length).toBeLessThan(70)
      expect(refreshes.length).toBeGreaterThanOrEqual(entra.exchanges.length - 2)
      expect(refreshes[0]).toMatchObject({ outcome: { error: { code: error } } })
      expect(refreshes[0]?.cachedTtlMs).toBeGreaterThan(29 * MINUTE_MS)
    },
  )

  test('no caller gets a failure if Entra ID is back before the token ends', async () => {
    const { entra, get } = setUp({ random: () => 0.999 })
    entra.behave({ lifetimeMs: 10 * MINUTE_MS })
    await ask(get, VAULT)
    entra.behave({ error: 'entra_unavailable' })
    await askFor(get, { forMs: 10 * MINUTE_MS - 1000, everyMs: 1000 })
    entra.behave({ latencyMs: 2000 })
    const answers = await askFor(get, { forMs: 10_000, everyMs: 100 })
    expect(answers.every(({ ok }) => ok)).toBe(true)
    expect(slowest(answers)).toBeLessThanOrEqual(2000)
  })
})

describe('while no token is cached', () => {
  test('one caller waits for an exchange, later ones get its failure at once with Retry-After', async () => {
    const { entra, get } = setUp({ random: () => 0.999 })
    entra.behave({ error: 'entra_timeout', latencyMs: 8000 })
    const first = ask(get, VAULT)
    await vi.advanceTimersByTimeAsync(8000)
    expect(await first).toMatchObject({ text: 'entra_timeout', tookMs: 8000 })
    const next = await ask(get, VAULT)
    expect(next).toMatchObject({ text: 'entra_timeout', tookMs: 0 })
    expect(next.retryAfterMs).toBeGreaterThan(900)
    // The retry is running.
    await vi.advanceTimersByTimeAsync(1000)
    expect(await ask(get, VAULT)).toMatchObject({ tookMs: 0, retryAfterMs: 0 })
  })

  test('the cache notices the end of a long outage within 8.3 s, and no caller waits for that', async () => {
    const { entra, get } = setUp({ random: () => 0.999 })
    entra.behave({ error: 'entra_unreachable' })
    await askFor(get, { forMs: 10 * MINUTE_MS, everyMs: 2000 })
    entra.behave({ latencyMs: 300 })
    const answers = await askFor(get, { forMs: 10_300, everyMs: 100 })
    const recovered = answers.findIndex(({ ok }) => ok)
    expect(recovered).toBeGreaterThan(0)
    expect(recovered * 100).toBeLessThanOrEqual(8300)
    expect(slowest(answers)).toBe(0)
  })

  test.each([
    ['is late by a minute because the process stood still', MINUTE_MS, 0],
    ['fired first after the process stood still', MINUTE_MS, 250],
  ])('a caller waits for the retry whose timer %s', async (_, late, timerMs) => {
    let lateMs = 0
    const clock = { wall: () => Date.now() + lateMs, monotonic: () => performance.now() + lateMs }
    const { entra, get } = setUp({ clock, random: () => 0, timeoutMs: TIMEOUT_MS })
    entra.behave({ error: 'entra_unreachable' })
    await ask(get, VAULT)
    entra.behave({ latencyMs: 100 })
    lateMs = late
    await vi.advanceTimersByTimeAsync(timerMs)
    const answer = ask(get, VAULT)
    await vi.advanceTimersByTimeAsync(100)
    expect(await answer).toMatchObject({ ok: true, tookMs: 100 })
    expect(entra.exchanges).toHaveLength(2)
  })

  test('a caller waits for an exchange after a retry got no permit', async () => {
    const { entra, get } = setUp({ random: () => 0 })
    entra.behave({ error: 'entra_unreachable' }, { error: 'overloaded' }, {})
    await ask(get, VAULT)
    await vi.advanceTimersByTimeAsync(SECOND_MS)
    expect(entra.exchanges).toHaveLength(2)
    expect(await ask(get, VAULT)).toMatchObject({ ok: true })
  })

  test('failures in a row keep the time of the first one; after a token or a long pause, a new row begins', async () => {
    const { entra, cache, get } = setUp({ random: () => 0.999 })
    const since = () => cache.entries()[0]?.failure?.since
    entra.behave({ error: 'entra_unreachable' })
    const start = performance.now()
    await askFor(get, { forMs: 5 * MINUTE_MS, everyMs: 2000 })
    expect(cache.entries()[0]?.failure?.count).toBeGreaterThan(2)
    expect(since()).toBe(start)
    entra.behave({ lifetimeMs: MINUTE_MS })
    await askFor(get, { forMs: 10_000, everyMs: 2000 })
    expect(since()).toBeUndefined()
    entra.behave({ error: 'entra_unreachable' })
    await askFor(get, { forMs: 2 * MINUTE_MS, everyMs: 2000 })
    await vi.advanceTimersByTimeAsync(HOUR_MS)
    // The backoff begins again.
    expect((await ask(get, VAULT)).retryAfterMs).toBeLessThanOrEqual(1000)
    expect(since()).toBe(performance.now())
  })

  test('the retries stop when callers stay away', async () => {
    const { entra, get } = setUp()
    entra.behave({ error: 'entra_unreachable' })
    await ask(get, VAULT)
    await vi.advanceTimersByTimeAsync(6 * MINUTE_MS)
    const count = entra.exchanges.length
    await vi.advanceTimersByTimeAsync(HOUR_MS)
    expect(entra.exchanges).toHaveLength(count)
    expect(vi.getTimerCount()).toBe(0)
  })
})

test('an exchange in the background takes as long as a caller would wait', async () => {
  const { entra, get } = setUp({ timeoutMs: TIMEOUT_MS })
  await ask(get, VAULT)
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  entra.behave({ latencyMs: HOUR_MS })
  void ask(get, { ...VAULT, bypassCache: true })
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS - 1)
  expect(entra.inflight()).toBe(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(entra.inflight()).toBe(0)
})

test('a permanent failure is cached for 10 s, then a caller makes the next exchange, and not the cache', async () => {
  const { entra, get } = setUp({ random: () => 0 })
  entra.behave({ error: 'application_refused' })
  await askFor(get, { forMs: 30_000, everyMs: 500 })
  expect(vi.getTimerCount()).toBe(0)
  const start = entra.exchanges[0]?.at ?? 0
  expect(entra.exchanges.map(({ at }) => Math.round(at - start))).toEqual([0, 10_000, 20_000])
})

describe('the entries', () => {
  test('show when a permanent failure is retried: by a caller after its caching, or by the cache if it is prefetched', async () => {
    const { cache, get } = setUp({ behaviour: { error: 'policy_refused' }, random: () => 0.5 })
    const msUntilNext = () => (cache.entries()[0]?.nextAttemptAt ?? NaN) - performance.now()
    await ask(get, VAULT)
    expect(msUntilNext()).toBe(8750)
    await cache.prefetch([VAULT])
    expect(msUntilNext()).toBe(15_000)
  })

  test('show a failure without a cached token until five minutes after the last request', async () => {
    const given = setUp({ behaviour: { error: 'tenant_refused' } })
    await ask(given.get, VAULT)
    await vi.advanceTimersByTimeAsync(4 * MINUTE_MS)
    await ask(given.get, VAULT)
    await vi.advanceTimersByTimeAsync(5 * MINUTE_MS - 1)
    expect(failures(given)).toEqual(['tenant_refused'])
    await vi.advanceTimersByTimeAsync(1)
    expect(given.cache.entries()).toEqual([])
  })

  test('show the failure of a prefetched resource until it is removed, if no caller has requested it', async () => {
    const given = setUp()
    await given.cache.prefetch([VAULT])
    given.entra.behave({ error: 'entra_unreachable' })
    await vi.advanceTimersByTimeAsync(40 * MINUTE_MS)
    expect(failures(given)).toEqual(['entra_unreachable'])
    await given.cache.prefetch([])
    expect(given.cache.entries()).toMatchObject([{ token: {} }])
    expect(failures(given)).toEqual([])
  })
})

test('a rotated projected token ends the caching of a failure, and starts an exchange if the key is in use', async () => {
  const { entra, cache, get } = setUp({ random: () => 0.999 })
  entra.behave({ error: 'assertion_missing' })
  await askFor(get, { forMs: MINUTE_MS, everyMs: 500 })
  entra.behave({ latencyMs: 100 })
  const count = entra.exchanges.length
  cache.assertionRotated('/another/token')
  expect(await ask(get, VAULT)).toMatchObject({ text: 'assertion_missing', tookMs: 0 })
  cache.assertionRotated(VAULT.identity.tokenFile)
  await vi.advanceTimersByTimeAsync(0)
  expect(entra.exchanges).toHaveLength(count + 1)
  const answer = ask(get, VAULT)
  await vi.advanceTimersByTimeAsync(100)
  expect(await answer).toMatchObject({ ok: true, tookMs: 100 })
})
