import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { cached } from '../../src/tokens/token-cache.ts'
import { limited } from '../../src/tokens/limiter.ts'
import { tokenStack } from '../../src/tokens/stack.ts'
import { ask, askFor, slowest } from './callers.ts'
import { HOUR_MS, other, scriptedEntra, VAULT } from './scripted-entra.ts'

const MINUTE_MS = 60_000
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function setUp({ max = 100 } = {}) {
  const entra = scriptedEntra()
  const options = { max, maxWaiting: 384, maxConcurrent: 32, timeoutMs: 10_000 }
  const cache = tokenStack(entra.source, { ...options, onExchange: () => {}, random: () => 0.5 })
  return { entra, cache, tokens: cache.tokens }
}

describe('10 000 resources asked for by one caller', () => {
  test('that do not exist push out no token, leave no timers, and stay within the bound', async () => {
    const { entra, cache, tokens } = setUp()
    await ask(tokens, VAULT)
    entra.behave({ error: 'resource_refused' })
    for (const index of numbers(10_000)) await ask(tokens, other(index))
    expect(cache.entries().length).toBeLessThanOrEqual(101)
    expect(vi.getTimerCount()).toBe(1)
    expect(await ask(tokens, VAULT)).toMatchObject({ said: `${VAULT.scope} #1`, tookMs: 0 })
  })

  test('in an outage are not all probed for', async () => {
    const { entra, cache, tokens } = setUp({ max: 1000 })
    entra.behave({ error: 'entra_unreachable' })
    for (const index of numbers(10_000)) await ask(tokens, other(index))
    expect(vi.getTimerCount()).toBe(32)
    const count = entra.asked.length
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    // 32 keys, each every 4 s at this jitter once their back-off has grown.
    expect(entra.asked.length - count).toBeLessThan(32 * 30)
    cache.close()
  })

  test('that exist push out what is used least, neither what is in use nor what is kept warm', async () => {
    const { cache, tokens } = setUp()
    await ask(tokens, { ...other('warm'), keepWarm: true })
    for (const index of numbers(10_000)) {
      await ask(tokens, other(index))
      if (index % 50 === 0) await ask(tokens, VAULT)
    }
    expect(cache.entries()).toHaveLength(101)
    expect(vi.getTimerCount()).toBe(101)
    expect((await ask(tokens, VAULT)).said).toBe(`${VAULT.scope} #3`)
    expect((await ask(tokens, other('warm'))).said).toBe(`${other('warm').scope} #1`)
  })

  test('that all exist push out no token that another caller comes back for', async () => {
    const { cache, tokens } = setUp()
    await ask(tokens, VAULT)
    await ask(tokens, VAULT)
    for (const index of numbers(10_000)) await ask(tokens, other(index))
    expect(cache.entries()).toHaveLength(100)
    expect(vi.getTimerCount()).toBe(100)
    expect(await ask(tokens, VAULT)).toMatchObject({ said: `${VAULT.scope} #1`, tookMs: 0 })
  })

  test('at once are refused beyond the bound, and forgotten: the refused key is tried when it returns', async () => {
    const { entra, cache, tokens } = setUp()
    entra.behave({ latencyMs: 100 })
    const flood = numbers(10_000).map((index) => ask(tokens, other(index)))
    await vi.advanceTimersByTimeAsync(0)
    expect(entra.asked).toHaveLength(24)
    await vi.advanceTimersByTimeAsync(11_000)
    const heard = await Promise.all(flood)
    const refused = heard.filter(({ ok }) => !ok)
    expect(new Set(refused.map(({ said }) => said))).toEqual(new Set(['overloaded']))
    expect(heard.length - refused.length).toBe(384)
    expect(refused.every(({ tookMs, retryAfterMs }) => tookMs === 0 && retryAfterMs === 1000)).toBe(
      true,
    )
    expect(cache.entries().length).toBeLessThanOrEqual(100)
    const again = ask(tokens, other(9999))
    await vi.advanceTimersByTimeAsync(100)
    expect((await again).ok).toBe(true)
  })

  test('of callers that have gone keep nobody else waiting', async () => {
    const { entra, tokens } = setUp()
    entra.behave({ latencyMs: 10_000 })
    let isHere = true
    const gone = numbers(384).map((index) => tokens(other(index % 20), () => !isHere))
    expect(await ask(tokens, VAULT)).toMatchObject({ ok: false, said: 'overloaded' })
    isHere = false
    const heard = ask(tokens, VAULT)
    await vi.advanceTimersByTimeAsync(11_000)
    expect(await heard).toMatchObject({ ok: true })
    await Promise.allSettled(gone)
  })

  test('by as many callers as may wait delay a new resource of another caller by two seconds', async () => {
    const { entra, tokens } = setUp({ max: 1000 })
    entra.behave({ latencyMs: 100, error: 'resource_refused' })
    let next = 0
    const caller = async () => {
      while (next < 10_000) await ask(tokens, other((next += 1)))
    }
    const flood = numbers(383).map(caller)
    await vi.advanceTimersByTimeAsync(1000)
    const heard = ask(tokens, VAULT)
    entra.behave({ latencyMs: 100 })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await heard).toMatchObject({ ok: true })
    expect((await heard).tookMs).toBeLessThanOrEqual(2200)
    await Promise.all(flood)
  })

  test('that never get an answer do not keep a held token from being renewed', async () => {
    const { entra, tokens } = setUp()
    await ask(tokens, VAULT)
    await vi.advanceTimersByTimeAsync(29 * MINUTE_MS)
    await ask(tokens, VAULT)
    entra.behave({ latencyMs: 10_000, error: 'entra_timeout' })
    const flood = Promise.all(numbers(500).map((index) => ask(tokens, other(index))))
    await vi.advanceTimersByTimeAsync(1)
    entra.behave({ latencyMs: 100 })
    const heard = await askFor(tokens, VAULT, { forMs: 90_000, everyMs: 1000 })
    expect(slowest(heard)).toBe(0)
    expect(heard.at(-1)?.said).not.toBe(`${VAULT.scope} #1`)
    expect((await flood).every(({ tookMs }) => tookMs <= 10_000)).toBe(true)
  })
})

/** A cache that holds the token of `VAULT`, while as many as may wait for another one. */
async function crowded() {
  const given = setUp({ max: 1000 })
  const { entra, tokens } = given
  await ask(tokens, VAULT)
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  entra.behave({ latencyMs: 10_000, error: 'entra_timeout' })
  const crowd = numbers(384).map(() => ask(tokens, other('cold')))
  return { ...given, crowd }
}

describe('as many callers as may wait, for an answer that does not come,', () => {
  test('leave the next one an answer at once, until they have theirs', async () => {
    const { entra, tokens, crowd } = await crowded()
    expect(await ask(tokens, other('cold'))).toEqual({
      said: 'overloaded',
      ok: false,
      tookMs: 0,
      retryAfterMs: 1000,
    })
    await vi.advanceTimersByTimeAsync(10_000)
    expect((await Promise.all(crowd)).every(({ said }) => said === 'entra_timeout')).toBe(true)
    entra.behave({})
    expect((await ask(tokens, other('new'))).ok).toBe(true)
  })

  test('leave the held token to who wants a newer one', async () => {
    const { entra, tokens } = await crowded()
    const heard = await ask(tokens, { ...VAULT, bypassCache: true })
    expect(heard).toMatchObject({ said: `${VAULT.scope} #1`, tookMs: 0 })
    expect(entra.asked).toHaveLength(2)
  })

  test('keep no resource cold that is to be kept warm', async () => {
    const { entra, tokens } = await crowded()
    entra.behave({ latencyMs: 100 })
    const heard = ask(tokens, { ...other('warm'), keepWarm: true })
    await vi.advanceTimersByTimeAsync(100)
    expect((await heard).ok).toBe(true)
  })
})

test('those who wait for a newer token take places, and what is to be kept warm does not', async () => {
  const { entra, tokens } = setUp({ max: 1000 })
  await Promise.all(numbers(384).map((index) => ask(tokens, other(index))))
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  entra.behave({ latencyMs: 1500 })
  void ask(tokens, { ...VAULT, keepWarm: true })
  const forced = numbers(384).map((index) => ask(tokens, { ...other(index), bypassCache: true }))
  expect((await ask(tokens, other('cold'))).said).toBe('overloaded')
  await vi.advanceTimersByTimeAsync(30_000)
  expect((await Promise.all(forced)).every(({ ok, tookMs }) => ok && tookMs > 0)).toBe(true)
})

test('a token that was pushed out while its renewal fails is not renewed by nobody', async () => {
  const entra = scriptedEntra()
  const cache = cached(entra.source, { max: 1, random: () => 0.5 })
  await ask(cache.tokens, VAULT)
  await vi.advanceTimersByTimeAsync(29 * MINUTE_MS)
  await ask(cache.tokens, VAULT)
  entra.behave({ latencyMs: 100, error: 'entra_unavailable' })
  await vi.advanceTimersByTimeAsync(MINUTE_MS + 50)
  entra.behave({ lifetimeMs: 10 * HOUR_MS })
  await ask(cache.tokens, other('newer'))
  await vi.advanceTimersByTimeAsync(50)
  expect(cache.entries()).toHaveLength(1)
  expect(vi.getTimerCount()).toBe(1)
})

describe('a limit of two exchanges', () => {
  test('lets the third wait its turn', async () => {
    const entra = scriptedEntra({ latencyMs: 100 })
    const tokens = limited(entra.source, { max: 2, timeoutMs: 10_000 })
    const all = Promise.all([1, 2, 3].map((name) => ask(tokens, other(name))))
    await vi.advanceTimersByTimeAsync(200)
    expect((await all).map(({ tookMs }) => tookMs)).toEqual([100, 100, 200])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('refuses after half of the time a wait that would leave none for the exchange', async () => {
    const entra = scriptedEntra({ latencyMs: 9000 })
    const tokens = limited(entra.source, { max: 2, timeoutMs: 10_000 })
    const all = Promise.all([1, 2, 3].map((name) => ask(tokens, other(name))))
    await vi.advanceTimersByTimeAsync(9000)
    expect((await all)[2]).toMatchObject({ said: 'overloaded', tookMs: 5000 })
    expect(entra.asked).toHaveLength(2)
  })

  test('gives the place of a failed exchange to the next', async () => {
    const entra = scriptedEntra({ latencyMs: 100, error: 'internal' })
    const tokens = limited(entra.source, { max: 2, timeoutMs: 10_000 })
    const all = Promise.all([1, 2, 3, 4, 5].map((name) => ask(tokens, other(name))))
    await vi.advanceTimersByTimeAsync(300)
    expect((await all).map(({ said }) => said)).toEqual(Array(5).fill('internal'))
    entra.behave({})
    expect((await ask(tokens, VAULT)).tookMs).toBe(0)
  })

  test('ends a try at its time limit, the wait included', async () => {
    const signals: (AbortSignal | undefined)[] = []
    const entra = scriptedEntra({ latencyMs: 4000 })
    const tokens = limited(
      (request, signal) => {
        signals.push(signal)
        return entra.source(request)
      },
      { max: 1, timeoutMs: 10_000 },
    )
    void ask(tokens, VAULT)
    entra.behave({ latencyMs: 20_000 })
    void ask(tokens, VAULT)
    await vi.advanceTimersByTimeAsync(9999)
    expect(signals.map((signal) => signal?.aborted)).toEqual([false, false])
    await vi.advanceTimersByTimeAsync(1)
    expect(signals.map((signal) => signal?.aborted)).toEqual([false, true])
    await vi.runAllTimersAsync()
  })
})
