import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { ErrorCode } from '../../src/errors.ts'
import { cached } from '../../src/tokens/token-cache.ts'
import type { RenewalFailure } from '../../src/tokens/flights.ts'
import { ask, askFor, slowest } from './callers.ts'
import { HOUR_MS, other, scriptedEntra, VAULT } from './scripted-entra.ts'

const MINUTE_MS = 60_000

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function setUp(random = () => 0.5) {
  const entra = scriptedEntra()
  const renewalFailures: RenewalFailure[] = []
  const onRenewalFailed = (failure: RenewalFailure) => renewalFailures.push(failure)
  const cache = cached(entra.source, { max: 100, random, onRenewalFailed })
  return { entra, cache, tokens: cache.tokens, renewalFailures }
}

describe('while a valid token is held', () => {
  test.each<ErrorCode>([
    'entra_unreachable',
    'entra_unavailable',
    'entra_timeout',
    'entra_throttled',
    'entra_bad_response',
    'assertion_missing',
    'federated_credential_not_found',
    'policy_refused',
    'overloaded',
    'internal',
  ])('every caller gets it at once, although every renewal ends in %s', async (error) => {
    const { entra, tokens, renewalFailures } = setUp()
    await ask(tokens, VAULT)
    entra.behave({ error, latencyMs: 10_000 })
    const heard = await askFor(tokens, VAULT, { forMs: 59 * MINUTE_MS, everyMs: 5000 })
    expect(new Set(heard.map(({ said }) => said))).toEqual(new Set([`${VAULT.scope} #1`]))
    expect(slowest(heard)).toBe(0)
    // Half an hour of outage: calm, and told each time.
    expect(entra.asked.length).toBeGreaterThan(3)
    expect(entra.asked.length).toBeLessThan(70)
    expect(renewalFailures.length).toBeGreaterThanOrEqual(entra.asked.length - 2)
    expect(renewalFailures[0]).toMatchObject({ error: { code: error } })
    expect(renewalFailures[0]?.leftMs).toBeGreaterThan(29 * MINUTE_MS)
  })

  test('one that nobody asks for is not retried', async () => {
    const { entra, tokens } = setUp()
    await ask(tokens, VAULT)
    entra.behave({ error: 'entra_unavailable' })
    await vi.advanceTimersByTimeAsync(HOUR_MS)
    expect(entra.asked).toHaveLength(1)
  })

  test('a renewal that was told to wait waits', async () => {
    const { entra, tokens } = setUp()
    await ask(tokens, VAULT)
    entra.behave({ error: 'entra_throttled', retryAfterMs: 5 * MINUTE_MS })
    await askFor(tokens, VAULT, { forMs: 50 * MINUTE_MS, everyMs: 1000 })
    const waits = entra.asked
      .slice(2)
      .map(({ at }, index) => at - (entra.asked[index + 1]?.at ?? 0))
    expect(waits.length).toBeGreaterThan(2)
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(5 * MINUTE_MS)
  })

  test('when it runs out in the outage, the next caller hears so at once', async () => {
    const { entra, tokens } = setUp()
    await ask(tokens, VAULT)
    await vi.advanceTimersByTimeAsync(1)
    await ask(tokens, VAULT)
    entra.behave({ error: 'entra_timeout', latencyMs: 10_000 })
    await askFor(tokens, VAULT, { forMs: HOUR_MS, everyMs: 1000 })
    const heard = await askFor(tokens, VAULT, { forMs: MINUTE_MS, everyMs: 1000 })
    expect(heard.every(({ said }) => said === 'entra_timeout')).toBe(true)
    expect(slowest(heard)).toBe(0)
  })
})

describe('while nothing is held', () => {
  test('one caller waits for one try, the others hear of it at once, with the time to come back', async () => {
    const { entra, tokens } = setUp(() => 0.999)
    entra.behave({ error: 'entra_timeout', latencyMs: 10_000 })
    const first = ask(tokens, VAULT)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await first).toMatchObject({ said: 'entra_timeout', tookMs: 10_000 })
    const next = await ask(tokens, VAULT)
    expect(next).toMatchObject({ said: 'entra_timeout', tookMs: 0 })
    expect(next.retryAfterMs).toBeGreaterThan(900)
    const heard = await askFor(tokens, VAULT, { forMs: 5 * MINUTE_MS, everyMs: 500 })
    expect(slowest(heard)).toBe(0)
    expect(entra.mostAtOnce()).toBe(1)
  })

  test.each([
    [1, 8300],
    [10, 30_300],
  ])(
    'a probe notices the recovery after %i minutes within %i ms, and no caller pays for it',
    async (minutes, withinMs) => {
      const { entra, tokens } = setUp(() => 0.999)
      entra.behave({ error: 'entra_unreachable' })
      await askFor(tokens, VAULT, { forMs: minutes * MINUTE_MS, everyMs: 2000 })
      entra.behave({ latencyMs: 300 })
      const heard = await askFor(tokens, VAULT, { forMs: withinMs + 2000, everyMs: 100 })
      const recovered = heard.findIndex(({ ok }) => ok)
      expect(recovered).toBeGreaterThan(0)
      expect(recovered * 100).toBeLessThanOrEqual(withinMs)
      expect(heard.slice(recovered).every(({ ok }) => ok)).toBe(true)
      expect(slowest(heard)).toBe(0)
    },
  )

  test('an outage long after another one is looked after as eagerly as the first', async () => {
    const { entra, tokens } = setUp(() => 0.999)
    entra.behave({ error: 'entra_unavailable' })
    await askFor(tokens, VAULT, { forMs: 10 * MINUTE_MS, everyMs: 2000 })
    await vi.advanceTimersByTimeAsync(HOUR_MS)
    expect((await ask(tokens, VAULT)).retryAfterMs).toBeLessThanOrEqual(1000)
  })

  test('probes end when callers stay away', async () => {
    const { entra, tokens } = setUp()
    entra.behave({ error: 'entra_unreachable' })
    await ask(tokens, VAULT)
    await vi.advanceTimersByTimeAsync(3 * MINUTE_MS)
    const count = entra.asked.length
    await vi.advanceTimersByTimeAsync(HOUR_MS)
    expect(entra.asked).toHaveLength(count)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('Retry-After is honoured by probes and callers alike', async () => {
    const { entra, tokens } = setUp()
    entra.behave({ error: 'entra_throttled', retryAfterMs: 60_000 })
    await ask(tokens, VAULT)
    entra.behave({})
    const heard = await askFor(tokens, VAULT, { forMs: 59_000, everyMs: 1000 })
    expect(heard.every(({ said }) => said === 'entra_throttled')).toBe(true)
    expect(entra.asked).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(13_000)
    expect(await ask(tokens, VAULT)).toMatchObject({ ok: true, tookMs: 0 })
  })

  test('what another key waits for delays no other', async () => {
    const { entra, tokens } = setUp()
    entra.behave({ error: 'entra_timeout', latencyMs: 10_000 })
    void ask(tokens, other('slow'))
    await vi.advanceTimersByTimeAsync(1)
    entra.behave({ latencyMs: 100 })
    const heard = ask(tokens, VAULT)
    await vi.advanceTimersByTimeAsync(100)
    expect(await heard).toMatchObject({ ok: true, tookMs: 100 })
  })
})

describe('a permanent refusal', () => {
  test('is remembered for seconds, and then tried by a caller', async () => {
    const { entra, tokens } = setUp(() => 0)
    entra.behave({ error: 'application_refused' })
    await askFor(tokens, VAULT, { forMs: 30_000, everyMs: 500 })
    expect(entra.asked.map(({ at }) => Math.round(at - (entra.asked[0]?.at ?? 0)))).toEqual([
      0, 10_000, 20_000,
    ])
  })

  test('is not probed for callers who may never come back', async () => {
    const { entra, tokens } = setUp()
    entra.behave({ error: 'application_refused' })
    await ask(tokens, VAULT)
    expect(vi.getTimerCount()).toBe(0)
    await vi.advanceTimersByTimeAsync(HOUR_MS)
    expect(entra.asked).toHaveLength(1)
  })

  test('of a resource that is kept warm is tried again slowly', async () => {
    const { entra, tokens } = setUp()
    entra.behave({ error: 'resource_refused' })
    await ask(tokens, { ...VAULT, keepWarm: true })
    await vi.advanceTimersByTimeAsync(HOUR_MS)
    expect(entra.asked.length).toBeGreaterThan(10)
    expect(entra.asked.length).toBeLessThan(40)
    entra.behave({})
    await vi.advanceTimersByTimeAsync(5 * MINUTE_MS)
    expect((await ask(tokens, VAULT)).tookMs).toBe(0)
  })
})

describe('a new projected token', () => {
  const { tokenFile } = VAULT.identity

  test('makes a permanent refusal forgotten', async () => {
    const { entra, cache, tokens } = setUp()
    entra.behave({ error: 'federated_credential_mismatch' })
    await ask(tokens, VAULT)
    entra.behave({})
    expect((await ask(tokens, VAULT)).said).toBe('federated_credential_mismatch')
    cache.assertionChanged(tokenFile)
    expect((await ask(tokens, VAULT)).ok).toBe(true)
  })

  test('of another file changes nothing', async () => {
    const { entra, cache, tokens } = setUp()
    entra.behave({ error: 'federated_credential_mismatch' })
    await ask(tokens, VAULT)
    cache.assertionChanged('/another/token')
    expect((await ask(tokens, VAULT)).said).toBe('federated_credential_mismatch')
    expect(entra.asked).toHaveLength(1)
  })

  test('is tried at once for callers who are expected back, and those who come wait for it', async () => {
    const { entra, cache, tokens } = setUp(() => 0.999)
    entra.behave({ error: 'assertion_missing' })
    await askFor(tokens, VAULT, { forMs: MINUTE_MS, everyMs: 500 })
    entra.behave({ latencyMs: 100 })
    const count = entra.asked.length
    cache.assertionChanged(tokenFile)
    expect(entra.asked).toHaveLength(count + 1)
    const heard = ask(tokens, VAULT)
    await vi.advanceTimersByTimeAsync(100)
    expect(await heard).toMatchObject({ ok: true, tookMs: 100 })
  })

  test('that comes while the old one is being refused makes that refusal forgotten, too', async () => {
    const { entra, cache, tokens } = setUp()
    entra.behave({ error: 'assertion_refused', latencyMs: 100 })
    const refused = ask(tokens, VAULT)
    cache.assertionChanged(tokenFile)
    await vi.advanceTimersByTimeAsync(100)
    expect((await refused).said).toBe('assertion_refused')
    entra.behave({})
    expect((await ask(tokens, VAULT)).ok).toBe(true)
  })

  test('ends no wait that Entra ID asked for', async () => {
    const { entra, cache, tokens } = setUp()
    entra.behave({ error: 'entra_throttled', retryAfterMs: 60_000 })
    await ask(tokens, VAULT)
    cache.assertionChanged(tokenFile)
    expect((await ask(tokens, VAULT)).said).toBe('entra_throttled')
    await vi.advanceTimersByTimeAsync(1000)
    expect(entra.asked).toHaveLength(1)
  })

  test('renews a held token whose renewal was refused', async () => {
    const { entra, cache, tokens } = setUp()
    await ask(tokens, VAULT)
    entra.behave({ error: 'federated_credential_not_found' })
    await askFor(tokens, VAULT, { forMs: 31 * MINUTE_MS, everyMs: 60_000 })
    const count = entra.asked.length
    entra.behave({})
    cache.assertionChanged(tokenFile)
    await vi.advanceTimersByTimeAsync(1)
    expect(entra.asked).toHaveLength(count + 1)
    expect((await ask(tokens, VAULT)).said).toBe(`${VAULT.scope} #${count + 1}`)
  })
})
