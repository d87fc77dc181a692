import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { cached } from '../../src/tokens/token-cache.ts'
import { ask, askFor, slowest, tokensOf } from './callers.ts'
import { HOUR_MS, other, scriptedEntra, VAULT } from './scripted-entra.ts'

const MINUTE_MS = 60_000

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const cacheOf = (entra: ReturnType<typeof scriptedEntra>, random = () => 0.5) =>
  cached(entra.source, { max: 10, random })

describe('tokens that are renewed every few seconds by an Entra ID that needs 800 ms', () => {
  test.each([
    ['refresh_in 3 in an hour', { lifetimeMs: HOUR_MS, refreshInMs: 3000 }],
    ['refresh_in 3 in a life of 6 s', { lifetimeMs: 6000, refreshInMs: 3000 }],
    ['a life of 6 s without refresh_in', { lifetimeMs: 6000 }],
    ['refresh_in 3 in a life of 4 s', { lifetimeMs: 4000, refreshInMs: 3000 }],
    ['a life of 3 s without refresh_in', { lifetimeMs: 3000 }],
  ])('%s: nobody but the first waits, whatever the jitter', async (_, behaviour) => {
    for (const jitter of [0, 0.5, 0.999]) {
      const entra = scriptedEntra({ latencyMs: 800, ...behaviour })
      const cache = cacheOf(entra, () => jitter)
      const first = ask(cache.tokens, VAULT)
      await vi.advanceTimersByTimeAsync(800)
      expect((await first).tookMs).toBe(800)
      const heard = await askFor(cache.tokens, VAULT, { forMs: 15_000, everyMs: 50 })
      expect(heard.every(({ ok }) => ok)).toBe(true)
      expect(slowest(heard)).toBe(0)
      expect(tokensOf(heard).length).toBeGreaterThanOrEqual(3)
      expect(entra.asked.length).toBeLessThanOrEqual(12)
      expect(entra.mostAtOnce()).toBe(1)
      cache.close()
    }
  })
})

test('a token whose life ends before it arrives is refused, not handed out', async () => {
  const entra = scriptedEntra({ latencyMs: 2000, lifetimeMs: 2400 })
  const cache = cacheOf(entra)
  const heard = ask(cache.tokens, VAULT)
  await vi.advanceTimersByTimeAsync(2000)
  expect(await heard).toMatchObject({ said: 'entra_bad_response' })
})

test('a token that nobody asked for again is not renewed, and is let go when its life ends', async () => {
  const entra = scriptedEntra()
  const cache = cacheOf(entra)
  await ask(cache.tokens, VAULT)
  expect(cache.entries()).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(HOUR_MS)
  expect(entra.asked).toHaveLength(1)
  expect(cache.entries()).toHaveLength(0)
  expect(vi.getTimerCount()).toBe(0)
})

test('a token in use is renewed once per life of use, not after it', async () => {
  const entra = scriptedEntra()
  const cache = cacheOf(entra)
  await ask(cache.tokens, VAULT)
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  await ask(cache.tokens, VAULT)
  await vi.advanceTimersByTimeAsync(10 * HOUR_MS)
  expect(entra.asked).toHaveLength(2)
})

test('a token that comes into use again after its renewal was due is renewed without a wait', async () => {
  const entra = scriptedEntra({ latencyMs: 800 })
  const cache = cacheOf(entra)
  const first = ask(cache.tokens, VAULT)
  await vi.advanceTimersByTimeAsync(800)
  await first
  await vi.advanceTimersByTimeAsync(40 * MINUTE_MS)
  const second = await ask(cache.tokens, VAULT)
  expect(second).toMatchObject({ said: `${VAULT.scope} #1`, tookMs: 0 })
  await vi.advanceTimersByTimeAsync(800)
  expect(await ask(cache.tokens, VAULT)).toMatchObject({ said: `${VAULT.scope} #2`, tookMs: 0 })
})

test('use while a renewal is under way counts for the next one', async () => {
  const entra = scriptedEntra({ latencyMs: 800, refreshInMs: 5000 })
  const cache = cacheOf(entra, () => 0)
  void ask(cache.tokens, VAULT)
  await vi.advanceTimersByTimeAsync(4000)
  await ask(cache.tokens, VAULT)
  await vi.advanceTimersByTimeAsync(1400)
  expect(entra.asked).toHaveLength(2)
  await ask(cache.tokens, VAULT)
  await vi.advanceTimersByTimeAsync(5000)
  expect(entra.asked).toHaveLength(3)
})

test('a resource that is kept warm is renewed without callers, also if others asked for it first', async () => {
  const entra = scriptedEntra({ latencyMs: 100 })
  const cache = cacheOf(entra)
  void ask(cache.tokens, VAULT)
  void ask(cache.tokens, { ...VAULT, keepWarm: true })
  await vi.advanceTimersByTimeAsync(3 * HOUR_MS)
  expect(entra.asked.length).toBeGreaterThanOrEqual(6)
  expect((await ask(cache.tokens, VAULT)).tookMs).toBe(0)
})

test('a resource that is kept warm comes back by itself after an outage that outlived its token', async () => {
  const entra = scriptedEntra()
  const cache = cacheOf(entra)
  await ask(cache.tokens, { ...VAULT, keepWarm: true })
  entra.behave({ error: 'entra_unreachable' })
  await vi.advanceTimersByTimeAsync(5 * HOUR_MS)
  entra.behave({})
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  const count = entra.asked.length
  expect(await ask(cache.tokens, VAULT)).toMatchObject({ ok: true, tookMs: 0 })
  expect(entra.asked).toHaveLength(count)
})

test('200 callers of one new resource make one exchange', async () => {
  const entra = scriptedEntra({ latencyMs: 100 })
  const cache = cacheOf(entra)
  const all = Promise.all(Array.from({ length: 200 }, () => ask(cache.tokens, VAULT)))
  await vi.advanceTimersByTimeAsync(100)
  expect(tokensOf(await all)).toEqual([`${VAULT.scope} #1`])
  expect(entra.asked).toHaveLength(1)
})

test('new resources do not wait for each other', async () => {
  const entra = scriptedEntra({ latencyMs: 100 })
  const cache = cacheOf(entra)
  const all = Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((name) => ask(cache.tokens, other(name))))
  await vi.advanceTimersByTimeAsync(100)
  expect(slowest(await all)).toBe(100)
})

test('tokens with and without claims are different tokens', async () => {
  const entra = scriptedEntra()
  const cache = cacheOf(entra)
  const claims = '{"access_token":{"nbf":{"essential":true}}}'
  const plain = await ask(cache.tokens, VAULT)
  const claimed = await ask(cache.tokens, { ...VAULT, claims })
  expect(claimed.said).not.toBe(plain.said)
  expect(entra.asked.map(({ request }) => request.claims)).toEqual([undefined, claims])
  expect((await ask(cache.tokens, { ...VAULT, claims })).said).toBe(claimed.said)
})

test('a closed cache starts nothing any more, also when an exchange ends after it', async () => {
  const entra = scriptedEntra({ latencyMs: 100 })
  const cache = cacheOf(entra)
  const last = ask(cache.tokens, { ...VAULT, keepWarm: true })
  cache.close()
  await vi.advanceTimersByTimeAsync(100)
  expect((await last).ok).toBe(true)
  expect(vi.getTimerCount()).toBe(0)
})
