import { expect, test, vi } from 'vitest'
import { BILLING } from '../../fixtures/parts.ts'
import { ask } from './callers.ts'
import { other, VAULT } from './scripted-entra.ts'
import {
  createProcess,
  MAX_OF_IDENTITY,
  MINUTE_MS,
  range,
  setUpLimited,
  TIMEOUT_MS,
  useFakeTime,
} from './setup.ts'

useFakeTime()

test('24 exchanges of an identity run, and 32 of all; others wait in their order', async () => {
  const { entra, get } = setUpLimited()
  // The exchanges end one after the other.
  entra.behave(...range(MAX_OF_IDENTITY).map((index) => ({ latencyMs: 100 * (index + 1) })))
  for (const name of range(MAX_OF_IDENTITY)) void ask(get, other(name))
  const waiting = [ask(get, other('a')), ask(get, other('b'))]
  await vi.advanceTimersByTimeAsync(0)
  expect(entra.inflight()).toBe(MAX_OF_IDENTITY)
  entra.behave({ latencyMs: 50 })
  const ofBilling = range(9).map((name) => ask(get, { ...other(name), identity: BILLING }))
  await vi.advanceTimersByTimeAsync(0)
  expect(entra.inflight()).toBe(32)
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  const tookMs = (await Promise.all([...waiting, ...ofBilling])).map((answer) => answer.tookMs)
  expect(tookMs).toEqual([150, 200, ...range(8).map(() => 50), 100])
})

test('a refresh goes before the exchanges of callers', async () => {
  const { entra, get } = setUpLimited()
  await ask(get, VAULT)
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  entra.behave({ latencyMs: 100 })
  for (const name of range(MAX_OF_IDENTITY)) void ask(get, other(name))
  for (const request of [other('waiting'), { ...VAULT, bypassCache: true }]) void ask(get, request)
  await vi.advanceTimersByTimeAsync(300)
  const scopes = entra.exchanges.slice(-2).map(({ request }) => request.scope)
  expect(scopes).toEqual([VAULT.scope, other('waiting').scope])
})

test('an exchange that waited for half of the time limit is rejected', async () => {
  const { entra, get } = setUpLimited()
  entra.behave({ latencyMs: MINUTE_MS })
  for (const name of range(MAX_OF_IDENTITY)) void ask(get, other(name))
  const answer = ask(get, VAULT)
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS)
  expect(await answer).toMatchObject({
    text: 'overloaded',
    tookMs: TIMEOUT_MS / 2,
    retryAfterMs: 1000,
  })
  expect(entra.exchanges.map(({ request }) => request.scope)).not.toContain(VAULT.scope)
})

test('an exchange that waits for its next attempt leaves its permit to others', async () => {
  const shared = createProcess()
  const { entra, get } = setUpLimited({ shared })
  entra.behave({ latencyMs: MINUTE_MS })
  for (const name of range(MAX_OF_IDENTITY - 1)) void ask(get, other(name))
  entra.behave({ error: 'entra_unavailable', retryAfterMs: 3000 }, {})
  const waiting = ask(get, VAULT)
  await vi.advanceTimersByTimeAsync(100)
  expect(await ask(get, other('next'))).toMatchObject({ ok: true, tookMs: 0 })
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS)
  expect(await waiting).toMatchObject({ ok: true })
})
