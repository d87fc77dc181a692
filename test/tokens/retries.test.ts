import * as fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import type { ErrorCode } from '../../src/errors.ts'
import { systemClock } from '../../src/tokens/clock.ts'
import { retryExchanges } from '../../src/tokens/retries.ts'
import { ask, slowest, textsOf } from './callers.ts'
import { type Behaviour, createScriptedEntra, other, VAULT } from './scripted-entra.ts'
import { MINUTE_MS, range, setUpLimited, useFakeTime } from './setup.ts'

useFakeTime()

/** Asks for a token that is not cached, of an Entra ID that behaves like this from exchange to exchange. */
async function coldStart(...behaviours: readonly Behaviour[]) {
  const given = setUpLimited()
  given.entra.behave(...behaviours)
  const first = ask(given.get, VAULT)
  const others = Promise.all(range(20).map(() => ask(given.get, VAULT)))
  await vi.advanceTimersByTimeAsync(8000)
  const answer = await first
  expect(textsOf(await others)).toEqual([answer.text])
  return { ...given, answer }
}

describe('a cold start', () => {
  test.each<[string, Behaviour]>([
    ['a 503', { error: 'entra_unavailable' }],
    ['a connection that is refused, reset or not resolved', { error: 'entra_unreachable' }],
    ['a 503 after 900 ms', { error: 'entra_unavailable', latencyMs: 900 }],
    ['a 503 with Retry-After: 1', { error: 'entra_unavailable', retryAfterMs: 1000 }],
    ['a 429 with Retry-After: 2', { error: 'entra_throttled', retryAfterMs: 2000 }],
  ])('gets a token after %s', async (_, failure) => {
    const { answer, entra, exchanges } = await coldStart(failure, {})
    expect(answer).toMatchObject({ ok: true, text: `${VAULT.scope} #2` })
    expect(answer.tookMs).toBeGreaterThanOrEqual(failure.retryAfterMs ?? 0)
    expect(answer.tookMs).toBeLessThanOrEqual(2500)
    expect(entra.exchanges).toHaveLength(2)
    expect(exchanges).toMatchObject([{ outcome: { ok: true } }])
  })

  test('gets a token after two failures', async () => {
    const unavailable: Behaviour = { error: 'entra_unavailable' }
    const { answer } = await coldStart(unavailable, unavailable, {})
    expect(answer).toMatchObject({ ok: true, text: `${VAULT.scope} #3` })
  })

  test('fails after three attempts within 2.5 s, and then at once with Retry-After: 1', async () => {
    const { get, entra } = setUpLimited()
    entra.behave({ error: 'entra_unavailable' })
    const first = ask(get, VAULT)
    await vi.advanceTimersByTimeAsync(1000)
    expect(await first).toMatchObject({ text: 'entra_unavailable', retryAfterMs: 500 })
    expect((await first).tookMs).toBeLessThan(2500)
    expect(entra.exchanges).toHaveLength(3)
    expect(await ask(get, VAULT)).toMatchObject({ text: 'entra_unavailable', tookMs: 0 })
    // The cache's own retry is a single attempt.
    await vi.advanceTimersByTimeAsync(500)
    expect(entra.exchanges).toHaveLength(4)
  })

  test.each<[string, Behaviour]>([
    ['a permanent failure', { error: 'application_refused' }],
    ['a missing federated credential', { error: 'federated_credential_not_found' }],
    ['a missing projected token', { error: 'assertion_missing' }],
    ['a certificate that is not trusted', { error: 'entra_tls' }],
    ['a 429 without Retry-After', { error: 'entra_throttled' }],
    ['a 429 with Retry-After: 3', { error: 'entra_throttled', retryAfterMs: 3000 }],
    ['a 503 with Retry-After: 3', { error: 'entra_unavailable', retryAfterMs: 3000 }],
    ['a resolver that fails after 1.5 s', { error: 'entra_unreachable', latencyMs: 1500 }],
  ])('is not retried after %s', async (_, failure) => {
    const { answer } = await coldStart(failure, {})
    expect(answer).toMatchObject({ text: failure.error, tookMs: failure.latencyMs ?? 0 })
  })

  test('gets a token after a response that did not come within 3 s', async () => {
    const { answer } = await coldStart({ latencyMs: 60_000 }, { latencyMs: 100 })
    expect(answer).toMatchObject({ ok: true, text: `${VAULT.scope} #2` })
    expect(answer.tookMs).toBeCloseTo(3100, -1)
  })

  test('gets a token of an Entra ID that takes 4 s', async () => {
    const { answer } = await coldStart({ latencyMs: 4000 })
    expect(answer).toMatchObject({ ok: true })
    expect(answer.tookMs).toBeCloseTo(7000, -1)
  })

  test('fails after 8 s if no response comes at all', async () => {
    const { answer } = await coldStart({ latencyMs: 60_000 })
    expect(answer).toMatchObject({ text: 'entra_timeout', tookMs: 8000 })
  })
})

test('throws the error of the last attempt if the time limit passes before the next one', async () => {
  const { source, behave, exchanges } = createScriptedEntra()
  behave({ error: 'entra_unavailable', retryAfterMs: 2000 }, {})
  const retried = retryExchanges(source, { clock: systemClock })
  const limit = new AbortController()
  const answer = ask((request) => retried(request, limit.signal), VAULT)
  setTimeout(() => limit.abort(), 1000)
  await vi.advanceTimersByTimeAsync(8000)
  expect(await answer).toMatchObject({ text: 'entra_unavailable', tookMs: 1000 })
  expect(exchanges).toHaveLength(1)
})

test('a refresh is not retried at once', async () => {
  const { entra, get } = setUpLimited()
  await ask(get, VAULT)
  await vi.advanceTimersByTimeAsync(29 * MINUTE_MS)
  await ask(get, VAULT)
  entra.behave({ error: 'entra_unavailable' }, {})
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  expect(entra.exchanges).toHaveLength(2)
})

test('a process makes ten retries a minute, whatever the number of keys', async () => {
  const { entra, get } = setUpLimited()
  entra.behave({ error: 'entra_unavailable' })
  const askForMany = async (prefix: string) => {
    const before = entra.exchanges.filter(({ request }) => request.isBackground !== true).length
    const answers = Promise.all(range(12).map((name) => ask(get, other(`${prefix}-${name}`))))
    await vi.advanceTimersByTimeAsync(2500)
    expect(slowest(await answers)).toBeLessThanOrEqual(2500)
    return entra.exchanges.filter(({ request }) => request.isBackground !== true).length - before
  }
  expect(await askForMany('first')).toBe(12 + 10)
  expect(await askForMany('second')).toBe(12)
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  expect(await askForMany('third')).toBe(12 + 10)
})

test('retries stop after three attempts and in time, whatever the failures', async () => {
  const behaviour = fc.record(
    {
      latencyMs: fc.constantFrom(0, 10, 900, 1100, 60_000),
      error: fc.constantFrom<ErrorCode>('entra_unavailable', 'entra_throttled', 'policy_refused'),
      retryAfterMs: fc.constantFrom(0, 500, 2000, 5000),
    },
    { requiredKeys: ['latencyMs'] },
  )
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  await fc.assert(
    fc.asyncProperty(
      fc.array(behaviour, { minLength: 3, maxLength: 3 }),
      random,
      async (run, r) => {
        const entra = createScriptedEntra()
        entra.behave(...run)
        const retried = retryExchanges(entra.source, { clock: systemClock, random: () => r })
        const signal = new AbortController()
        const limit = setTimeout(() => signal.abort(), 8000)
        const startedAt = performance.now()
        const answer = ask((request) => retried(request, signal.signal), VAULT)
        await vi.advanceTimersByTimeAsync(8000)
        clearTimeout(limit)
        expect((await answer).tookMs).toBeLessThanOrEqual(8000)
        expect(entra.exchanges.length).toBeLessThanOrEqual(3)
        for (const { at } of entra.exchanges) expect(at - startedAt).toBeLessThanOrEqual(5500)
        expect(entra.maxInflight()).toBe(1)
      },
    ),
  )
})
