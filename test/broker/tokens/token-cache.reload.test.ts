/** What the cache keeps when the identities of the configuration change. */
import { describe, expect, test, vi } from 'vitest'
import type { Identity } from '../../../src/broker/identities.ts'
import { ask } from './callers.ts'
import { type Behaviour, other, VAULT } from './scripted-entra.ts'
import { HOUR_MS, MINUTE_MS, setUp, useFakeTime } from './setup.ts'

const REMOVED = () => undefined
const replacedBy = (change: Partial<Identity>) => () => ({ ...VAULT.identity, ...change })

useFakeTime()

test('a removed key has no entry, no timer and no token', async () => {
  const { entra, cache, get } = setUp()
  await ask(get, VAULT)
  await cache.prefetch([other(1)])
  cache.updateIdentities(REMOVED)
  expect(cache.entries()).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
  expect((await ask(get, VAULT)).text).toBe(`${VAULT.scope} #3`)
  expect(entra.exchanges).toHaveLength(3)
})

test('a removed key whose refreshes fail is no failure any more', async () => {
  const { entra, cache, get } = setUp({ behaviour: { lifetimeMs: 24 * HOUR_MS } })
  await ask(get, VAULT)
  entra.behave({ error: 'federated_credential_not_found' })
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  await ask(get, VAULT)
  await vi.advanceTimersByTimeAsync(20 * HOUR_MS)
  expect(cache.entries().filter(({ failure }) => failure !== undefined)).toHaveLength(1)
  cache.updateIdentities(REMOVED)
  expect(cache.entries()).toEqual([])
  const count = entra.exchanges.length
  await vi.advanceTimersByTimeAsync(HOUR_MS)
  expect(entra.exchanges).toHaveLength(count)
})

test.each([
  ['tenant', { tenantId: 'other.example' }],
  ['login host', { authorityHost: 'https://login.other.example' }],
])('a key whose identity has another %s is removed', async (_, change) => {
  const { cache, get } = setUp()
  await ask(get, VAULT)
  cache.updateIdentities(replacedBy(change))
  expect(cache.entries()).toEqual([])
})

test('a key that stays keeps its token and is refreshed as the new identity', async () => {
  const { entra, cache, get } = setUp()
  await ask(get, VAULT)
  await ask(get, other(1))
  const renamed = replacedBy({ name: 'renamed', exchangeVia: 'token-proxy' })
  cache.updateIdentities(({ scope }) => (scope === VAULT.scope ? renamed() : undefined))
  expect(cache.entries().map(({ request }) => request)).toEqual([
    { identity: renamed(), scope: VAULT.scope },
  ])
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  expect(await ask(get, { ...VAULT, identity: renamed() })).toMatchObject({
    text: `${VAULT.scope} #1`,
    tookMs: 0,
  })
  await vi.advanceTimersByTimeAsync(HOUR_MS)
  expect(entra.exchanges[2]?.request.identity).toEqual(renamed())
})

test('a request from before the change does not put the old identity back', async () => {
  const { entra, cache, get } = setUp()
  await ask(get, VAULT)
  const renamed = replacedBy({ name: 'renamed', exchangeVia: 'token-proxy' })
  cache.updateIdentities(renamed)
  await ask(get, VAULT)
  expect(cache.entries()[0]?.request.identity).toEqual(renamed())
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  await ask(get, VAULT)
  await vi.advanceTimersByTimeAsync(HOUR_MS)
  expect(entra.exchanges[1]?.request.identity).toEqual(renamed())
})

test.each<[string, Behaviour]>([
  ['a token', {}],
  ['a failure', { error: 'entra_unreachable' }],
  ['a permanent failure', { error: 'resource_refused' }],
  ['an overload', { error: 'overloaded' }],
])('%s that arrives for a removed key goes to its callers only', async (_, outcome) => {
  const { entra, cache, get } = setUp({ behaviour: { latencyMs: 100, ...outcome } })
  const answer = ask(get, VAULT)
  void cache.prefetch([other(1)])
  cache.updateIdentities(REMOVED)
  await vi.advanceTimersByTimeAsync(100)
  expect((await answer).text).toBe(outcome.error ?? `${VAULT.scope} #1`)
  expect(cache.entries()).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
  await vi.advanceTimersByTimeAsync(HOUR_MS)
  expect(entra.exchanges).toHaveLength(2)
})

test.each<[string, Behaviour]>([
  ['succeeds', {}],
  ['fails', { error: 'entra_unreachable' }],
])('a refresh of a removed key that %s leaves nothing', async (_, outcome) => {
  const { entra, cache } = setUp({ timeoutMs: HOUR_MS })
  await cache.prefetch([VAULT])
  entra.behave({ latencyMs: 40 * MINUTE_MS, ...outcome })
  await vi.advanceTimersByTimeAsync(55 * MINUTE_MS)
  expect(entra.exchanges).toHaveLength(2)
  cache.updateIdentities(REMOVED)
  await vi.advanceTimersByTimeAsync(HOUR_MS)
  expect(cache.entries()).toEqual([])
  expect(entra.exchanges).toHaveLength(2)
})

test.each<[string, Partial<Identity>]>([
  ['tokenFile', { tokenFile: '/other' }],
  ['exchangeVia', { exchangeVia: 'token-proxy' }],
])(
  'a key whose identity has another %s is exchanged again after a permanent failure, once',
  async (_, change) => {
    const { entra, cache, get } = setUp({ behaviour: { error: 'assertion_refused' } })
    const changed = { identity: { ...VAULT.identity, ...change }, scope: VAULT.scope }
    await ask(get, VAULT)
    cache.updateIdentities(replacedBy(change))
    await ask(get, changed)
    expect(entra.exchanges).toHaveLength(2)
    entra.behave({})
    cache.updateIdentities(() => structuredClone(changed.identity))
    expect((await ask(get, changed)).text).toBe('assertion_refused')
    expect(entra.exchanges).toHaveLength(2)
  },
)

describe('a key whose identity is exchanged in another way', () => {
  const change = { tokenFile: '/other' }
  const changed = { identity: { ...VAULT.identity, ...change }, scope: VAULT.scope }
  const applyChange = replacedBy(change)

  test('keeps its token, also while Entra ID is down', async () => {
    const { entra, cache, get } = setUp()
    await ask(get, VAULT)
    entra.behave({ error: 'entra_unreachable' })
    cache.updateIdentities(applyChange)
    expect((await ask(get, changed)).text).toBe(`${VAULT.scope} #1`)
    expect(entra.exchanges).toHaveLength(1)
  })

  test.each<[string, () => Identity | undefined]>([
    ['', applyChange],
    [' and was removed in between', REMOVED],
  ])(
    'is exchanged again before callers get the failure of an exchange that was running%s',
    async (_when, find) => {
      const { entra, cache, get } = setUp()
      entra.behave({ error: 'assertion_refused', latencyMs: 100 }, {})
      const first = ask(get, VAULT)
      cache.updateIdentities(find)
      const second = ask(get, changed)
      await vi.advanceTimersByTimeAsync(100)
      expect([await first, await second]).toMatchObject([{ ok: true }, { ok: true }])
      expect(entra.exchanges.map(({ request }) => request.identity)).toEqual([
        VAULT.identity,
        changed.identity,
      ])
    },
  )

  test('is waited for no longer than any other, also if it changes while callers wait', async () => {
    const { entra, cache, get } = setUp({ timeoutMs: 8000 })
    entra.behave({ error: 'assertion_refused', latencyMs: 6000 }, { latencyMs: HOUR_MS })
    const answer = ask(get, VAULT)
    cache.updateIdentities(applyChange)
    await vi.advanceTimersByTimeAsync(MINUTE_MS)
    expect(await answer).toMatchObject({ text: 'entra_timeout', tookMs: 8000 })
  })

  test('waits for the end of a Retry-After', async () => {
    const { entra, cache, get } = setUp({
      behaviour: { error: 'entra_throttled', retryAfterMs: MINUTE_MS },
    })
    await ask(get, VAULT)
    entra.behave({})
    cache.updateIdentities(applyChange)
    expect((await ask(get, changed)).text).toBe('entra_throttled')
  })
})

test('a removed key that is requested again shares the exchange that is still in flight', async () => {
  const { entra, cache, get } = setUp({ behaviour: { latencyMs: 100 } })
  const first = ask(get, VAULT)
  cache.updateIdentities(REMOVED)
  const second = ask(get, VAULT)
  await vi.advanceTimersByTimeAsync(100)
  expect((await second).text).toBe((await first).text)
  expect(entra.exchanges).toHaveLength(1)
  expect(cache.entries()).toHaveLength(1)
})
