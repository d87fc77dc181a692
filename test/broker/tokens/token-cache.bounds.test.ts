import { describe, expect, test, vi } from 'vitest'
import { ask } from './callers.ts'
import { other, VAULT } from './scripted-entra.ts'
import {
  MAX_OF_IDENTITY,
  MAX_WAITING,
  MINUTE_MS,
  range,
  setUpLimited,
  useFakeTime,
} from './setup.ts'

/** Ten times the entries of the cache, and more than the callers that may wait. */
const COUNT = 1000

/** Lets other events run: a connection closes in another event than the next request comes in. */
const untilNextEvent = () => vi.advanceTimersByTimeAsync(0)

useFakeTime()

describe('a caller that asks for 1000 resources', () => {
  test('gets no more failures or tokens cached than the limit; tokens in use are not evicted', async () => {
    const { entra, cache, get } = setUpLimited()
    entra.behave({ error: 'resource_refused' })
    for (const index of range(COUNT)) await ask(get, other(`refused-${index}`))
    expect(cache.entries()).toHaveLength(100)
    expect(vi.getTimerCount()).toBe(0)
    entra.behave({})
    const { text } = await ask(get, VAULT)
    for (const index of range(COUNT)) {
      await vi.advanceTimersByTimeAsync(1)
      await ask(get, other(index))
      if (index % 50 === 0) await ask(get, VAULT)
    }
    expect(cache.entries()).toHaveLength(100)
    expect(vi.getTimerCount()).toBe(100)
    expect((await ask(get, VAULT)).text).toBe(text)
  })

  test('at once gets overloaded beyond the limit, which is not cached', async () => {
    const { entra, cache, get } = setUpLimited()
    entra.behave({ latencyMs: 100 })
    const flood = range(COUNT).map((index) => ask(get, other(index)))
    await vi.advanceTimersByTimeAsync(0)
    expect(entra.exchanges).toHaveLength(MAX_OF_IDENTITY)
    await vi.advanceTimersByTimeAsync(11_000)
    const failed = (await Promise.all(flood)).filter(({ ok }) => !ok)
    expect(failed).toHaveLength(COUNT - MAX_WAITING)
    for (const answer of failed) {
      expect(answer).toMatchObject({ text: 'overloaded', tookMs: 0, retryAfterMs: 1000 })
    }
    expect(cache.entries().length).toBeLessThanOrEqual(100)
    const retry = ask(get, other(COUNT - 1))
    await vi.advanceTimersByTimeAsync(100)
    expect((await retry).ok).toBe(true)
  })
})

/** Creates a cache with a token for `VAULT`, while as many callers as may wait do wait for another token. */
async function setUpCrowd({ maxEntries = 1000 } = {}) {
  const given = setUpLimited({ maxEntries })
  await ask(given.get, VAULT)
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  given.entra.behave({ latencyMs: 8000, error: 'entra_timeout' })
  const hangUp = new AbortController()
  const crowd = range(MAX_WAITING).map(() => ask(given.get, other('cold'), hangUp.signal))
  return { ...given, crowd, hangUp }
}

describe('while as many callers wait as may wait', () => {
  test('callers of another pod wait for the same exchange', async () => {
    const { cache, crowd, hangUp } = await setUpCrowd()
    const neighbour = ask(cache.createGet(1), other('cold'))
    await vi.advanceTimersByTimeAsync(8000)
    expect(await neighbour).toMatchObject({ text: 'entra_timeout', tookMs: 8000 })
    hangUp.abort()
    await Promise.all(crowd)
    cache.close()
  })

  test('the next one leaves no entry, and evicts none; bypass_cache gets the cached token', async () => {
    const { entra, cache, get } = await setUpCrowd({ maxEntries: 2 })
    for (const index of range(10)) await ask(get, other(index))
    const scopes = cache.entries().map(({ request }) => request.scope)
    expect(scopes).toEqual([VAULT.scope, other('cold').scope])
    const answer = await ask(get, { ...VAULT, bypassCache: true })
    expect(answer).toMatchObject({ text: `${VAULT.scope} #1`, tookMs: 0 })
    expect(entra.exchanges).toHaveLength(2)
  })

  test('other callers may wait once some have hung up', async () => {
    const { entra, get, hangUp } = await setUpCrowd()
    expect((await ask(get, other('new'))).text).toBe('overloaded')
    hangUp.abort()
    await untilNextEvent()
    // These callers hung up before they could wait.
    for (const _ of range(MAX_WAITING)) void ask(get, other('cold'), hangUp.signal)
    await untilNextEvent()
    entra.behave({})
    expect((await ask(get, other('new'))).ok).toBe(true)
  })
})

test('callers that ask for many tokens and hang up leave no more exchanges than may run and wait', async () => {
  const { entra, cache, get } = setUpLimited()
  entra.behave({ latencyMs: MINUTE_MS })
  for (const index of range(COUNT)) {
    const hangUp = new AbortController()
    const answer = ask(get, other(index), hangUp.signal)
    hangUp.abort()
    await answer
  }
  await untilNextEvent()
  expect(entra.inflight()).toBe(MAX_OF_IDENTITY)
  expect(cache.entries()).toHaveLength(MAX_OF_IDENTITY + MAX_WAITING)
  // Timers: answer, silence and time limit of each running exchange; queue and time limit of each waiting one.
  expect(vi.getTimerCount()).toBe(3 * MAX_OF_IDENTITY + 2 * MAX_WAITING)
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  expect(cache.entries().length).toBeLessThanOrEqual(100)
})

test('a key is evicted only after its exchange has ended', async () => {
  const { entra, cache, get } = setUpLimited({ maxEntries: 1 })
  const scopes = () => cache.entries().map(({ request }) => request.scope)
  entra.behave({ latencyMs: 100 })
  const answers = [ask(get, VAULT), ask(get, other('newer'))]
  await vi.advanceTimersByTimeAsync(50)
  answers.push(ask(get, VAULT))
  expect(entra.exchanges).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(100)
  expect((await Promise.all(answers)).every(({ ok }) => ok)).toBe(true)
  expect(scopes()).toEqual([VAULT.scope])
  expect(vi.getTimerCount()).toBe(1)
})
