import { expect, test, vi } from 'vitest'
import { createExchangeLimit } from '../../../src/broker/tokens/exchange-limit.ts'
import { ORDERS } from '../../fixtures/parts.ts'
import type { TokenRequest } from '../../../src/broker/tokens/token.ts'
import { ask } from './callers.ts'
import { type Behaviour, other, createScriptedEntra, VAULT } from './scripted-entra.ts'
import {
  createProcess,
  MINUTE_MS,
  range,
  setUp,
  setUpLimited,
  TIMEOUT_MS,
  useFakeTime,
} from './setup.ts'

useFakeTime()

function setUpLimiter(behaviour: Behaviour, maxConcurrent = 2, maxQueued = Infinity) {
  const entra = createScriptedEntra(behaviour)
  const limit = createExchangeLimit({ maxConcurrent, timeoutMs: 10_000 }, maxQueued)
  const { signal } = new AbortController()
  const get = (request: TokenRequest) =>
    limit(() => entra.source(request, signal), { isUrgent: request.isBackground === true })
  return { entra, get }
}

test('the third of two concurrent exchanges waits', async () => {
  const { get } = setUpLimiter({ latencyMs: 100 })
  const all = Promise.all([1, 2, 3].map((name) => ask(get, other(name))))
  await vi.advanceTimersByTimeAsync(200)
  expect((await all).map(({ tookMs }) => tookMs)).toEqual([100, 100, 200])
  expect(vi.getTimerCount()).toBe(0)
})

test('a refresh goes before the exchanges of callers', async () => {
  const limit = createExchangeLimit({ maxConcurrent: 1, timeoutMs: 10_000 }, Infinity)
  const { entra, get } = setUp({ limit })
  await ask(get, VAULT)
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  entra.behave({ latencyMs: 100 })
  const requests = [other('running'), other('waiting'), { ...VAULT, bypassCache: true }]
  for (const request of requests) void ask(get, request)
  await vi.advanceTimersByTimeAsync(300)
  const scopes = entra.exchanges.map(({ request }) => request.scope)
  const expected = [VAULT, other('running'), VAULT, other('waiting')]
  expect(scopes).toEqual(expected.map(({ scope }) => scope))
})

test('an exchange that waited for half of the time limit is rejected', async () => {
  const { entra, get } = setUpLimiter({ latencyMs: 9000 })
  const all = Promise.all([1, 2, 3].map((name) => ask(get, other(name))))
  await vi.advanceTimersByTimeAsync(9000)
  expect((await all)[2]).toMatchObject({ text: 'overloaded', tookMs: 5000, retryAfterMs: 1000 })
  expect(entra.exchanges).toHaveLength(2)
})

test('an exchange is rejected at once while the queue is full', async () => {
  const { entra, get } = setUpLimiter({ latencyMs: 100 }, 1, 2)
  const all = Promise.all([1, 2, 3, 4].map((name) => ask(get, other(name))))
  const refresh = ask(get, { ...other('refresh'), isBackground: true })
  await vi.advanceTimersByTimeAsync(400)
  const replies = await all
  expect(replies.map(({ tookMs }) => tookMs)).toEqual([100, 300, 400, 0])
  expect(replies[3]).toMatchObject({ text: 'overloaded', retryAfterMs: 1000 })
  // Refreshes have a queue of their own.
  expect((await refresh).tookMs).toBe(200)
  expect(entra.exchanges).toHaveLength(4)
})

test('an exchange that failed makes room for the next', async () => {
  const { entra, get } = setUpLimiter({ latencyMs: 100, error: 'internal' })
  const all = Promise.all([1, 2, 3, 4, 5].map((name) => ask(get, other(name))))
  await vi.advanceTimersByTimeAsync(300)
  expect((await all).map(({ text }) => text)).toEqual(Array(5).fill('internal'))
  entra.behave({})
  expect((await ask(get, VAULT)).tookMs).toBe(0)
})

const REPORTS = {
  identity: { ...ORDERS, clientId: '22222222-2222-4222-8222-222222222222' },
  scope: VAULT.scope,
}

test('40 silent resources of an identity leave another identity its token', async () => {
  const { entra, get } = setUpLimited()
  entra.behave({ latencyMs: MINUTE_MS })
  const silent = range(40).map((name) => ask(get, other(name)))
  await vi.advanceTimersByTimeAsync(1000)
  entra.behave({ latencyMs: 100 })
  const answer = ask(get, REPORTS)
  await vi.advanceTimersByTimeAsync(16_000)
  expect(await answer).toMatchObject({ ok: true, tookMs: 100 })
  expect((await Promise.all(silent)).every(({ ok }) => !ok)).toBe(true)
})

test('an exchange that waits for its next attempt leaves its permit to others', async () => {
  const limit = createExchangeLimit({ maxConcurrent: 1, timeoutMs: TIMEOUT_MS }, Infinity)
  const { entra, get } = setUpLimited({ shared: { ...createProcess(), limit } })
  entra.behave({ error: 'entra_unavailable', retryAfterMs: 5000 }, {})
  const waiting = ask(get, VAULT)
  await vi.advanceTimersByTimeAsync(100)
  expect(await ask(get, REPORTS)).toMatchObject({ ok: true, tookMs: 0 })
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS)
  expect(await waiting).toMatchObject({ ok: true, text: `${VAULT.scope} #3` })
})
