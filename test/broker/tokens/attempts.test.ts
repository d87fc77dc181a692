import * as fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import type { ErrorCode } from '../../../src/lib/errors.ts'
import { ask, slowest, textsOf } from './callers.ts'
import { type Behaviour, other, type ScriptedEntra, VAULT } from './scripted-entra.ts'
import {
  HOUR_MS,
  MAX_OF_IDENTITY,
  MINUTE_MS,
  range,
  setUpLimited,
  TIMEOUT_MS,
  useFakeTime,
} from './setup.ts'

useFakeTime()

/** Requests a token that is not cached. Entra ID behaves like this from exchange to exchange. */
async function coldStart(...behaviours: readonly Behaviour[]) {
  const given = setUpLimited()
  given.entra.behave(...behaviours)
  const first = ask(given.get, VAULT)
  const others = Promise.all(range(20).map(() => ask(given.get, VAULT)))
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS)
  const answer = await first
  expect(textsOf(await others)).toEqual([answer.text])
  return { ...given, answer }
}

/** Returns when the attempts started, in milliseconds after the first one. */
const sentAfter = ({ exchanges }: Pick<ScriptedEntra, 'exchanges'>) =>
  exchanges.map(({ at }) => at - (exchanges[0]?.at ?? 0))

const HUNG: Behaviour = { latencyMs: HOUR_MS }

/** Returns the attempts that callers waited for. */
const foreground = ({ exchanges }: Pick<ScriptedEntra, 'exchanges'>) =>
  exchanges.filter(({ request }) => request.isBackground !== true)

describe('a cold start', () => {
  test.each<[string, Behaviour, number]>([
    ['a 503', { error: 'entra_unavailable' }, 500],
    ['a TLS alert', { error: 'entra_tls' }, 500],
    ['a node that has no new credential yet', { error: 'federated_credential_not_found' }, 500],
    ['a 503 after 2.9 s', { error: 'entra_unavailable', latencyMs: 2900 }, 3400],
    ['a 429 with Retry-After: 2', { error: 'entra_throttled', retryAfterMs: 2000 }, 2200],
    // Jitter does not delay the attempt beyond the time limit.
    ['a 503 with Retry-After: 7', { error: 'entra_unavailable', retryAfterMs: 7000 }, 7500],
  ])('gets a token after %s', async (_, failure, withinMs) => {
    const { answer, entra, exchanges } = await coldStart(failure, {})
    expect(answer).toMatchObject({ ok: true, text: `${VAULT.scope} #2` })
    expect(answer.tookMs).toBeGreaterThanOrEqual(failure.retryAfterMs ?? 250)
    expect(answer.tookMs).toBeLessThanOrEqual(withinMs)
    expect(entra.exchanges).toHaveLength(2)
    expect(exchanges).toMatchObject([{ outcome: { ok: true } }])
  })

  test('fails after three attempts within 1.5 s, and then at once with Retry-After: 1', async () => {
    const { get, entra } = setUpLimited()
    entra.behave({ error: 'entra_unavailable' })
    const first = ask(get, VAULT)
    await vi.advanceTimersByTimeAsync(1500)
    expect(await first).toMatchObject({ text: 'entra_unavailable', retryAfterMs: 500 })
    expect((await first).tookMs).toBeLessThanOrEqual(1500)
    expect(entra.exchanges).toHaveLength(3)
    expect(await ask(get, VAULT)).toMatchObject({ text: 'entra_unavailable', tookMs: 0 })
    // The cache's own retry is a single attempt.
    await vi.advanceTimersByTimeAsync(500)
    expect(entra.exchanges).toHaveLength(4)
  })

  test.each<[string, Behaviour]>([
    ['a permanent failure', { error: 'application_refused' }],
    ['a missing projected token', { error: 'assertion_missing' }],
    ['a 429 without Retry-After', { error: 'entra_throttled' }],
    ['a 503 with Retry-After: 8', { error: 'entra_unavailable', retryAfterMs: 8000 }],
  ])('is not retried after %s', async (_, failure) => {
    const { answer } = await coldStart(failure, {})
    expect(answer).toMatchObject({ text: failure.error, tookMs: 0 })
  })
})

describe('an attempt that is silent for 2 s', () => {
  test('is hedged, and ends when the other attempt has a token', async () => {
    const { answer, entra } = await coldStart(HUNG, { latencyMs: 100 })
    expect(answer).toMatchObject({ ok: true, text: `${VAULT.scope} #2`, tookMs: 2100 })
    expect(entra.inflight()).toBe(0)
  })

  test('goes on: an Entra ID that takes 7.5 s issues the token after 7.5 s', async () => {
    const { answer, entra } = await coldStart({ latencyMs: 7500 })
    expect(answer).toMatchObject({ ok: true, text: `${VAULT.scope} #1`, tookMs: 7500 })
    expect(sentAfter(entra)).toEqual([0, 2000, 4000, 6000])
    // The replaced attempt ends after the next one has started.
    expect(entra.maxInflight()).toBe(4)
    expect(entra.inflight()).toBe(0)
  })

  test.each<[string, readonly Behaviour[], object]>([
    [
      'a permanent error of the other attempt decides',
      [HUNG, { error: 'application_refused', latencyMs: 500 }],
      { text: 'application_refused', tookMs: 2500 },
    ],
    [
      'a 503 of the other attempt is retried',
      [HUNG, { error: 'entra_unavailable' }, {}],
      { ok: true, tookMs: 2375 },
    ],
  ])('%s', async (_, behaviours, expected) => {
    const { answer } = await coldStart(...behaviours)
    expect(answer).toMatchObject(expected)
  })

  test('does not delay the retries while all answers are failures, and ends with the retries', async () => {
    const { answer, entra } = await coldStart(HUNG, { error: 'entra_unavailable' })
    expect(answer).toMatchObject({ text: 'entra_unavailable', tookMs: TIMEOUT_MS })
    expect(foreground(entra)).toHaveLength(4)
    expect(entra.inflight()).toBe(0)
  })

  test('is not one that waits for a permit', async () => {
    const { entra, get } = setUpLimited()
    entra.behave({ latencyMs: 3500 })
    const crowd = range(MAX_OF_IDENTITY).map((name) => ask(get, other(name)))
    await vi.advanceTimersByTimeAsync(0)
    entra.behave({ latencyMs: 100 })
    const answer = ask(get, VAULT)
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS)
    expect(await answer).toMatchObject({ ok: true, tookMs: 3600 })
    const scopes = entra.exchanges.map(({ request }) => request.scope)
    expect(scopes.filter((scope) => scope === VAULT.scope)).toHaveLength(1)
    await Promise.all(crowd)
  })
})

describe('a cold start while Entra ID is silent', () => {
  test('makes a POST every 2 s while callers wait, and keeps the first one for a late token', async () => {
    const { answer, get, entra, exchanges } = await coldStart({ latencyMs: 9000 }, HUNG)
    expect(answer).toMatchObject({ text: 'entra_timeout', tookMs: 8000 })
    expect(sentAfter(entra)).toEqual([0, 2000, 4000, 6000])
    const again = ask(get, VAULT)
    await vi.advanceTimersByTimeAsync(1000)
    expect(await again).toMatchObject({ text: `${VAULT.scope} #1`, tookMs: 1000 })
    expect(sentAfter(entra)).toEqual([0, 2000, 4000, 6000, 8000])
    expect(exchanges).toMatchObject([{ outcome: { ok: true }, durationMs: 9000 }])
  })

  test('makes no POST while nobody waits, ends after 16 s, and then callers get its error at once', async () => {
    const { get, entra, exchanges } = await coldStart(HUNG)
    await vi.advanceTimersByTimeAsync(4000)
    expect(sentAfter(entra)).toEqual([0, 2000, 4000, 6000])
    const again = ask(get, VAULT)
    await vi.advanceTimersByTimeAsync(4000)
    expect(await again).toMatchObject({ text: 'entra_timeout', tookMs: 4000, retryAfterMs: 500 })
    expect(exchanges).toMatchObject([{ outcome: { ok: false }, durationMs: 16_000 }])
    expect(entra.inflight()).toBe(0)
    expect(await ask(get, VAULT)).toMatchObject({ text: 'entra_timeout', tookMs: 0 })
  })

  test('of more resources than may run at once does not fail as overloaded, and each resource is retried', async () => {
    const { entra, get, cache, exchanges } = setUpLimited()
    entra.behave({ latencyMs: HOUR_MS })
    const answers = Promise.all(range(18).map((name) => ask(get, other(name))))
    await vi.advanceTimersByTimeAsync(16_000)
    expect(textsOf(await answers)).toEqual(['entra_timeout'])
    const codes = exchanges.map(({ outcome }) => (outcome.ok ? 'ok' : outcome.error.code))
    expect(new Set(codes)).toEqual(new Set(['entra_timeout']))
    // Of the keys without a token, 16 are retried in the background.
    await vi.advanceTimersByTimeAsync(9000)
    expect(cache.entries()).toHaveLength(18)
    entra.behave({})
    await vi.advanceTimersByTimeAsync(17_000)
    expect(cache.entries().filter(({ token }) => token !== undefined)).toHaveLength(16)
  })
})

test('a process makes ten retries a minute, whatever the number of keys', async () => {
  const { entra, get } = setUpLimited()
  entra.behave({ error: 'entra_unavailable' })
  const askForMany = async (prefix: string) => {
    const before = foreground(entra).length
    const answers = Promise.all(range(12).map((name) => ask(get, other(`${prefix}-${name}`))))
    await vi.advanceTimersByTimeAsync(2500)
    expect(slowest(await answers)).toBeLessThanOrEqual(2500)
    return foreground(entra).length - before
  }
  expect(await askForMany('first')).toBe(12 + 10)
  expect(await askForMany('second')).toBe(12)
  entra.behave({ error: 'entra_unavailable' })
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  expect(await askForMany('third')).toBe(12 + 10)
})

test('attempts are few and callers are answered in time, whatever the failures', async () => {
  const behaviour = fc.record(
    {
      latencyMs: fc.constantFrom(0, 10, 900, 2900, 3100, 5500, 60_000),
      error: fc.constantFrom<ErrorCode>('entra_unavailable', 'entra_throttled', 'policy_refused'),
      retryAfterMs: fc.constantFrom(0, 500, 2000, 5000),
    },
    { requiredKeys: ['latencyMs'] },
  )
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  await fc.assert(
    fc.asyncProperty(
      fc.array(behaviour, { minLength: 6, maxLength: 6 }),
      random,
      async (run, r) => {
        const { entra, get, cache } = setUpLimited({ random: () => r })
        entra.behave(...run)
        const answer = ask(get, VAULT)
        await vi.advanceTimersByTimeAsync(TIMEOUT_MS)
        cache.close()
        const { ok, tookMs, text } = await answer
        expect(tookMs).toBeLessThanOrEqual(TIMEOUT_MS)
        const attempts = foreground(entra)
        // The attempts are the first one, two retries, and one for every 2 s of silence.
        expect(attempts.length).toBeLessThanOrEqual(3 + 3)
        expect(entra.maxInflight()).toBeLessThanOrEqual(4)
        // A token that comes in time reaches its caller, unless another attempt is rejected first.
        const [first] = run
        const comes = first?.error === undefined && (first?.latencyMs ?? 0) < TIMEOUT_MS
        expect(ok || !comes || text === 'policy_refused').toBe(true)
        // Silence is reported only if every attempt was silent. The first attempt stays; later ones are replaced after 4 s.
        const isAnswered = run.slice(0, attempts.length).some(({ latencyMs, error }, index) => {
          if (index > 0 && latencyMs >= 4000) return false
          const startedAt = (attempts[index]?.at ?? 0) - (attempts[0]?.at ?? 0)
          return error !== undefined && startedAt + latencyMs < TIMEOUT_MS
        })
        expect(text === 'entra_timeout' && isAnswered).toBe(false)
        await vi.advanceTimersByTimeAsync(TIMEOUT_MS)
        expect(entra.inflight()).toBe(0)
      },
    ),
  )
})
