import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { cached } from '../../src/tokens/token-cache.ts'
import type { TokenRequest } from '../../src/tokens/token.ts'
import { ask, askFor } from './callers.ts'
import { HOUR_MS, other, scriptedEntra, VAULT } from './scripted-entra.ts'

const MINUTE_MS = 60_000
const WARM = { ...VAULT, keepWarm: true }

const unchanged = (request: TokenRequest): TokenRequest => ({ ...request, keepWarm: true })
const notWarm = (request: TokenRequest): TokenRequest => request
const renamed = (request: TokenRequest): TokenRequest => ({
  ...unchanged(request),
  identity: { ...request.identity, name: 'renamed' },
})
const unknown = (): undefined => undefined

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function setUp() {
  const entra = scriptedEntra()
  const renewalFailures: unknown[] = []
  const cache = cached(entra.source, {
    max: 100,
    random: () => 0.5,
    onRenewalFailed: (failure) => renewalFailures.push(failure),
  })
  return { entra, cache, tokens: cache.tokens, renewalFailures }
}

describe('a resource that a new configuration keeps warm', () => {
  test('is fetched by itself although it was refused for good before', async () => {
    const { entra, tokens, cache } = setUp()
    entra.behave({ error: 'resource_refused' })
    await ask(tokens, VAULT)
    entra.behave({})
    cache.adopt(unchanged)
    await ask(tokens, WARM)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(entra.asked).toHaveLength(2)
    expect(cache.entries()[0]?.token).toBeDefined()
  })

  test('is fetched by itself although more are failing than are probed for', async () => {
    const { entra, tokens } = setUp()
    entra.behave({ error: 'entra_unreachable' })
    for (let name = 0; name < 32; name += 1) await ask(tokens, other(name))
    await ask(tokens, VAULT)
    entra.behave({})
    await ask(tokens, WARM)
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    expect(entra.asked.filter(({ request }) => request.scope === VAULT.scope)).toHaveLength(2)
  })

  test('goes on as it was if the old one did, too', async () => {
    const { entra, tokens, cache } = setUp()
    await ask(tokens, WARM)
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    cache.adopt(unchanged)
    await ask(tokens, WARM)
    expect(entra.asked).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(3 * HOUR_MS)
    expect(entra.asked.length).toBeGreaterThanOrEqual(6)
  })
})

describe('a resource that a new configuration does not keep warm', () => {
  test('is not renewed for nobody, and is let go when its token ends', async () => {
    const { entra, tokens, cache } = setUp()
    await ask(tokens, WARM)
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    // As each reload does.
    await ask(tokens, WARM)
    cache.adopt(notWarm)
    await vi.advanceTimersByTimeAsync(10 * HOUR_MS)
    expect(entra.asked).toHaveLength(1)
    expect(cache.entries()).toHaveLength(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is renewed while callers ask for it', async () => {
    const { entra, tokens, cache } = setUp()
    await ask(tokens, WARM)
    cache.adopt(notWarm)
    await askFor(tokens, VAULT, { forMs: HOUR_MS, everyMs: MINUTE_MS })
    expect(entra.asked.length).toBeGreaterThanOrEqual(2)
  })

  test('is not tried again while it fails', async () => {
    const { entra, tokens, cache } = setUp()
    entra.behave({ error: 'resource_refused' })
    await ask(tokens, WARM)
    cache.adopt(notWarm)
    await vi.advanceTimersByTimeAsync(HOUR_MS)
    expect(entra.asked).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('what a new configuration does not know', () => {
  test('is let go', async () => {
    const { entra, tokens, cache } = setUp()
    await ask(tokens, WARM)
    await ask(tokens, other('another'))
    cache.adopt((request) => (request.scope === VAULT.scope ? undefined : request))
    expect(cache.entries().map(({ request }) => request.scope)).toEqual([other('another').scope])
    await vi.advanceTimersByTimeAsync(10 * HOUR_MS)
    expect(entra.asked).toHaveLength(2)
  })

  test('is let go if it means another token now', async () => {
    const { tokens, cache } = setUp()
    await ask(tokens, VAULT)
    cache.adopt((request) => ({
      ...request,
      identity: { ...request.identity, tokenFile: '/var/run/another' },
    }))
    expect(cache.entries()).toHaveLength(0)
  })

  test('is not tried again when its first exchange fails after that', async () => {
    const { entra, tokens, cache } = setUp()
    entra.behave({ error: 'entra_unavailable', latencyMs: 4000 })
    const heard = ask(tokens, WARM)
    cache.adopt(unknown)
    await vi.advanceTimersByTimeAsync(HOUR_MS)
    expect((await heard).said).toBe('entra_unavailable')
    expect(entra.asked).toHaveLength(1)
    expect(cache.entries()).toHaveLength(0)
  })

  test('is neither tried again nor reported when its renewal fails after that', async () => {
    const { entra, tokens, cache, renewalFailures } = setUp()
    await ask(tokens, WARM)
    entra.behave({ error: 'entra_unavailable', latencyMs: 4000 })
    await vi.advanceTimersByTimeAsync(30 * MINUTE_MS)
    expect(entra.asked).toHaveLength(2)
    cache.adopt(unknown)
    await vi.advanceTimersByTimeAsync(HOUR_MS)
    expect(entra.asked).toHaveLength(2)
    expect(cache.entries()).toHaveLength(0)
    expect(renewalFailures).toEqual([])
  })

  test('gives its token to those who asked before, and keeps none', async () => {
    const { entra, tokens, cache } = setUp()
    entra.behave({ latencyMs: 100 })
    const heard = ask(tokens, VAULT)
    cache.adopt(unknown)
    await vi.advanceTimersByTimeAsync(100)
    expect((await heard).ok).toBe(true)
    expect(cache.entries()).toHaveLength(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is kept if a newer configuration knows it before its exchange has ended', async () => {
    const { entra, tokens, cache } = setUp()
    entra.behave({ latencyMs: 100 })
    const heard = ask(tokens, VAULT)
    cache.adopt(unknown)
    cache.adopt(notWarm)
    const second = ask(tokens, VAULT)
    await vi.advanceTimersByTimeAsync(100)
    expect(await heard).toMatchObject({ said: `${VAULT.scope} #1` })
    expect(await second).toMatchObject({ said: `${VAULT.scope} #1` })
    expect(await ask(tokens, VAULT)).toMatchObject({ said: `${VAULT.scope} #1`, tookMs: 0 })
    expect(entra.mostAtOnce()).toBe(1)
  })
})

test('what was asked for last is still what goes last', async () => {
  const cache = cached(scriptedEntra().source, { max: 2 })
  await ask(cache.tokens, other('older'))
  await ask(cache.tokens, other('newer'))
  cache.adopt(notWarm)
  await ask(cache.tokens, other('newest'))
  const held = cache.entries().map(({ request }) => request.scope)
  expect(held).toEqual([other('newest').scope, other('newer').scope])
})

test('an identity goes on under its new name', async () => {
  const { entra, tokens, cache } = setUp()
  await ask(tokens, WARM)
  cache.adopt(renamed)
  expect(cache.entries()[0]?.request).toEqual({
    identity: { ...VAULT.identity, name: 'renamed' },
    scope: VAULT.scope,
  })
  await vi.advanceTimersByTimeAsync(HOUR_MS)
  expect(entra.asked.map(({ request }) => request.identity.name)).toEqual([
    'orders',
    'renamed',
    'renamed',
  ])
})
