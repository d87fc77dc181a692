import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { cached } from '../../src/tokens/token-cache.ts'
import { ask, askFor, slowest } from './callers.ts'
import { HOUR_MS, scriptedEntra, VAULT } from './scripted-entra.ts'

const MINUTE_MS = 60_000

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function setUp() {
  const entra = scriptedEntra()
  const cache = cached(entra.source, { max: 10, random: () => 0.5 })
  return { entra, cache, tokens: cache.tokens }
}
/** Moves the wall clock alone, as a person does, or as a machine that slept finds it. */
const jump = (ms: number) => vi.setSystemTime(Date.now() + ms)

test('a clock set back does not make an expired token look alive', async () => {
  const { tokens } = setUp()
  await ask(tokens, VAULT)
  jump(-10 * HOUR_MS)
  await vi.advanceTimersByTimeAsync(HOUR_MS)
  expect((await ask(tokens, VAULT)).said).toBe(`${VAULT.scope} #2`)
})

test('a clock set back does not put off a renewal', async () => {
  const { entra, tokens } = setUp()
  await ask(tokens, VAULT)
  jump(-10 * HOUR_MS)
  const heard = await askFor(tokens, VAULT, { forMs: 3 * HOUR_MS, everyMs: MINUTE_MS })
  expect(slowest(heard)).toBe(0)
  // Once when first asked for, and every half hour since.
  expect(entra.asked).toHaveLength(7)
})

test('a machine that slept past the expiry asks for a new token', async () => {
  const { tokens } = setUp()
  await ask(tokens, VAULT)
  jump(2 * HOUR_MS)
  expect((await ask(tokens, VAULT)).said).toBe(`${VAULT.scope} #2`)
})

test('a machine that slept past the renewal renews while it answers', async () => {
  const { entra, tokens } = setUp()
  await ask(tokens, VAULT)
  jump(45 * MINUTE_MS)
  entra.behave({ latencyMs: 800 })
  expect(await ask(tokens, VAULT)).toMatchObject({ said: `${VAULT.scope} #1`, tookMs: 0 })
  await vi.advanceTimersByTimeAsync(800)
  expect((await ask(tokens, VAULT)).said).toBe(`${VAULT.scope} #2`)
})

test('a machine that slept renews within a minute what was in use, before anybody asks', async () => {
  const { entra, tokens } = setUp()
  await ask(tokens, VAULT)
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  await ask(tokens, VAULT)
  jump(8 * HOUR_MS)
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  expect(entra.asked).toHaveLength(2)
  expect((await ask(tokens, VAULT)).tookMs).toBe(0)
})

test('a clock set forward does not bring on a storm of exchanges', async () => {
  const { entra, tokens } = setUp()
  await ask(tokens, VAULT)
  jump(100 * HOUR_MS)
  await askFor(tokens, VAULT, { forMs: 10 * MINUTE_MS, everyMs: 1000 })
  expect(entra.asked).toHaveLength(2)
})

test('retries keep their pace whatever the wall clock does', async () => {
  const { entra, tokens } = setUp()
  entra.behave({ error: 'entra_throttled', retryAfterMs: 60_000 })
  await ask(tokens, VAULT)
  for (const hours of [5, -9, 3]) {
    jump(hours * HOUR_MS)
    await askFor(tokens, VAULT, { forMs: 10_000, everyMs: 1000 })
  }
  expect(entra.asked).toHaveLength(1)
})
