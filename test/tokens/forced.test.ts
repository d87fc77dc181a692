import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Secret } from '../../src/secret.ts'
import { cached } from '../../src/tokens/token-cache.ts'
import { ask, slowest } from './callers.ts'
import { type Behaviour, scriptedEntra, VAULT } from './scripted-entra.ts'

const MINUTE_MS = 60_000
const BYPASS = { ...VAULT, bypassCache: true }
const token = (number: number) => `${VAULT.scope} #${number}`
const refusing = (said: string) => ({ ...VAULT, refusedTokenSha256: new Secret(said).sha256() })

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function setUp(first: Behaviour = {}) {
  const entra = scriptedEntra(first)
  const { tokens } = cached(entra.source, { max: 10, random: () => 0.5 })
  return { entra, tokens }
}

describe('bypass_cache', () => {
  test('is honoured at most once a minute', async () => {
    const { entra, tokens } = setUp()
    const heard = []
    for (let second = 0; second < 120; second += 1) {
      heard.push((await ask(tokens, BYPASS)).said)
      await vi.advanceTimersByTimeAsync(1000)
    }
    expect(new Set(heard)).toEqual(new Set([token(1), token(2)]))
    expect(heard.indexOf(token(2))).toBe(60)
    expect(entra.asked).toHaveLength(2)
  })

  test('of many callers at once makes one exchange', async () => {
    const { entra, tokens } = setUp()
    await ask(tokens, VAULT)
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    entra.behave({ latencyMs: 100 })
    const heard = Promise.all(Array.from({ length: 20 }, () => ask(tokens, BYPASS)))
    await vi.advanceTimersByTimeAsync(100)
    expect(slowest(await heard)).toBe(100)
    expect(entra.asked).toHaveLength(2)
  })

  test('gets the held token after two seconds when Entra ID does not answer, and then at once', async () => {
    const { entra, tokens } = setUp()
    await ask(tokens, VAULT)
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    entra.behave({ latencyMs: 10_000, error: 'entra_timeout' })
    const first = ask(tokens, BYPASS)
    const meanwhile = await ask(tokens, BYPASS)
    expect(meanwhile).toMatchObject({ said: token(1), tookMs: 0 })
    await vi.advanceTimersByTimeAsync(2000)
    expect(await first).toMatchObject({ said: token(1), tookMs: 2000 })
    await vi.advanceTimersByTimeAsync(10 * MINUTE_MS)
    expect(await ask(tokens, BYPASS)).toMatchObject({ said: token(1), tookMs: 0 })
  })

  test('is told of the failure when the held token ran out while it waited', async () => {
    const { entra, tokens } = setUp({ lifetimeMs: MINUTE_MS + 1000 })
    await ask(tokens, VAULT)
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    entra.behave({ latencyMs: 10_000, error: 'entra_timeout' })
    const heard = ask(tokens, BYPASS)
    await vi.advanceTimersByTimeAsync(10_000)
    expect((await heard).said).toBe('entra_timeout')
  })

  test('gets the held token when the renewal is refused', async () => {
    const { entra, tokens } = setUp()
    await ask(tokens, VAULT)
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    entra.behave({ error: 'federated_credential_not_found' })
    expect((await ask(tokens, BYPASS)).said).toBe(token(1))
  })
})

describe('token_sha256_to_refresh', () => {
  test('gets a new token if it is the held one', async () => {
    const { tokens } = setUp()
    const { said } = await ask(tokens, VAULT)
    expect((await ask(tokens, refusing(said))).said).toBe(token(2))
    expect((await ask(tokens, VAULT)).said).toBe(token(2))
  })

  test('gets the held token if it is another one', async () => {
    const { entra, tokens } = setUp()
    await ask(tokens, VAULT)
    expect((await ask(tokens, refusing('an older token'))).said).toBe(token(1))
    expect(entra.asked).toHaveLength(1)
  })

  test('of many callers that hold the same token makes one exchange', async () => {
    const { entra, tokens } = setUp()
    const { said } = await ask(tokens, VAULT)
    entra.behave({ latencyMs: 100 })
    const heard = Promise.all(Array.from({ length: 20 }, () => ask(tokens, refusing(said))))
    await vi.advanceTimersByTimeAsync(100)
    expect((await heard).map((one) => one.said)).toEqual(Array(20).fill(token(2)))
    expect(entra.asked).toHaveLength(2)
  })

  test('of a resource that refuses every token makes at most one exchange a second', async () => {
    const { entra, tokens } = setUp()
    let { said } = await ask(tokens, VAULT)
    for (let request = 0; request < 100; request += 1) {
      said = (await ask(tokens, refusing(said))).said
      await vi.advanceTimersByTimeAsync(100)
    }
    expect(entra.asked.length).toBeLessThanOrEqual(11)
  })
})
