import { describe, expect, test, vi } from 'vitest'
import { ask } from './callers.ts'
import { other, VAULT } from './scripted-entra.ts'
import { jump, MINUTE_MS, setUp, useFakeTime } from './setup.ts'

useFakeTime()

describe('a refresh', () => {
  test('is made until a lifetime after the last use; the last token is removed when it expires', async () => {
    const { entra, cache, get } = setUp()
    await ask(get, VAULT)
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    await ask(get, VAULT)
    await vi.advanceTimersByTimeAsync(118 * MINUTE_MS)
    expect(cache.entries()).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    expect(entra.exchanges.map(({ at }) => at / MINUTE_MS)).toEqual([0, 30, 60])
    expect(cache.entries()).toHaveLength(0)
    expect(vi.getTimerCount()).toBe(0)
  })
})

test('the cache rejects a token that has expired when it arrives', async () => {
  const { get } = setUp({ behaviour: { latencyMs: 2000, lifetimeMs: 2400 } })
  const answer = ask(get, VAULT)
  await vi.advanceTimersByTimeAsync(2000)
  expect(await answer).toMatchObject({ text: 'entra_bad_response' })
})

test('close stops refreshes, even if an exchange ends after it', async () => {
  const { cache, get } = setUp({ behaviour: { latencyMs: 100 } })
  const answer = ask(get, VAULT)
  void cache.prefetch([other('prefetched')])
  cache.close()
  await vi.advanceTimersByTimeAsync(100)
  expect((await answer).ok).toBe(true)
  expect(vi.getTimerCount()).toBe(0)
})

test('the cache reports how it answered each request', async () => {
  const results: string[] = []
  const { entra, get } = setUp({ onResult: (result) => results.push(result) })
  entra.behave({ latencyMs: 100 })
  void ask(get, VAULT)
  void ask(get, VAULT)
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  await ask(get, VAULT)
  void ask(get, { ...VAULT, bypassCache: true })
  await vi.advanceTimersByTimeAsync(100)
  entra.behave({ error: 'resource_refused' })
  await ask(get, other('missing'))
  await ask(get, other('missing'))
  expect(results).toEqual(['miss', 'coalesced', 'hit', 'bypass', 'miss', 'negative_hit'])
})

describe('when the wall clock is set or the machine sleeps, the cache', () => {
  test('serves the token and refreshes it after the machine slept past the refresh', async () => {
    const { entra, get } = setUp()
    await ask(get, VAULT)
    jump(45 * MINUTE_MS)
    entra.behave({ latencyMs: 800 })
    expect(await ask(get, VAULT)).toMatchObject({ text: `${VAULT.scope} #1`, tookMs: 0 })
    await vi.advanceTimersByTimeAsync(800)
    expect((await ask(get, VAULT)).text).toBe(`${VAULT.scope} #2`)
  })

  test('refreshes a token in use within a minute after the machine woke up', async () => {
    const { entra, get } = setUp()
    await ask(get, VAULT)
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    await ask(get, VAULT)
    jump(50 * MINUTE_MS)
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    expect(entra.exchanges).toHaveLength(2)
  })
})
