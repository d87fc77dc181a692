/** The cache keeps or drops tokens when the identities of the configuration change. */
import { describe, expect, test, vi } from 'vitest'
import type { Identity } from '../../../src/broker/identities.ts'
import { ask } from './callers.ts'
import { type Behaviour, other, VAULT } from './scripted-entra.ts'
import { HOUR_MS, MINUTE_MS, setUp, useFakeTime } from './setup.ts'

const REMOVED = () => undefined
const replacedBy = (change: Partial<Identity>) => () => ({ ...VAULT.identity, ...change })

useFakeTime()

test.each([
  ['tenant', { tenantId: 'other.example' }],
  ['login host', { authorityHost: 'https://login.other.example' }],
])('a key whose identity has another %s is removed', async (_, change) => {
  const { cache, get } = setUp()
  await ask(get, VAULT)
  cache.updateIdentities(replacedBy(change))
  expect(cache.entries()).toEqual([])
})

test('a key that a reload keeps has its token, and is refreshed as the new identity, whichever identity a caller names', async () => {
  const { entra, cache, get } = setUp()
  await ask(get, VAULT)
  const renamed = replacedBy({ name: 'renamed', exchangeVia: 'token-proxy' })
  cache.updateIdentities(renamed)
  expect(cache.entries()).toMatchObject([{ request: { identity: renamed() } }])
  await vi.advanceTimersByTimeAsync(MINUTE_MS)
  // This exchange was made with the identity before the reload.
  expect(await ask(get, VAULT)).toMatchObject({ text: `${VAULT.scope} #1`, tookMs: 0 })
  await vi.advanceTimersByTimeAsync(HOUR_MS)
  expect(entra.exchanges[1]?.request.identity).toEqual(renamed())
})

test.each<[string, Behaviour]>([
  ['a token', {}],
  ['an overload', { error: 'overloaded' }],
])('%s that arrives for a removed key goes to its callers only', async (_, outcome) => {
  const { entra, cache, get } = setUp({ behaviour: { latencyMs: 100, ...outcome } })
  const answer = ask(get, VAULT)
  void cache.prefetch([other(1)])
  cache.updateIdentities(REMOVED)
  await vi.advanceTimersByTimeAsync(100)
  expect((await answer).text).toBe(outcome.error ?? `${VAULT.scope} #1`)
  expect(cache.entries()).toEqual([])
  await vi.advanceTimersByTimeAsync(HOUR_MS)
  expect(entra.exchanges).toHaveLength(2)
})

describe('a key whose identity is exchanged in another way', () => {
  const change = { tokenFile: '/other' }
  const changed = { identity: { ...VAULT.identity, ...change }, scope: VAULT.scope }

  test.each<[string, Partial<Identity>]>([
    ['tokenFile', change],
    ['exchangeVia', { exchangeVia: 'token-proxy' }],
  ])('by %s is exchanged again after a permanent failure, once', async (_, by) => {
    const { entra, cache, get } = setUp({ behaviour: { error: 'assertion_refused' } })
    await ask(get, VAULT)
    cache.updateIdentities(replacedBy(by))
    await ask(get, VAULT)
    expect(entra.exchanges).toHaveLength(2)
    cache.updateIdentities(replacedBy(by))
    expect((await ask(get, VAULT)).text).toBe('assertion_refused')
    expect(entra.exchanges).toHaveLength(2)
  })

  test.each([
    ['', replacedBy(change), 'assertion_refused'],
    [' if it was removed in between', REMOVED, 'overloaded'],
  ] as const)('has a new exchange for callers that ask from then on%s', async (_, find, error) => {
    const { entra, cache, get } = setUp()
    entra.behave({ error, latencyMs: 100 }, { latencyMs: 200 })
    const before = ask(get, VAULT)
    cache.updateIdentities(find)
    const after = ask(get, changed)
    await vi.advanceTimersByTimeAsync(100)
    const later = ask(get, changed)
    await vi.advanceTimersByTimeAsync(100)
    expect((await before).text).toBe(error)
    expect(await after).toMatchObject({ text: `${VAULT.scope} #2`, tookMs: 200 })
    expect(await later).toMatchObject({ text: `${VAULT.scope} #2`, tookMs: 100 })
    expect(cache.entries()).toMatchObject([{ request: changed }])
    const identities = entra.exchanges.map(({ request }) => request.identity)
    expect(identities).toEqual([VAULT.identity, changed.identity])
  })

  test('is refreshed in the new way at once if its refresh is running', async () => {
    const { entra, cache, get } = setUp()
    await ask(get, VAULT)
    entra.behave({ latencyMs: HOUR_MS }, {})
    await vi.advanceTimersByTimeAsync(30.5 * MINUTE_MS)
    expect(entra.exchanges).toHaveLength(2)
    cache.updateIdentities(replacedBy(change))
    await vi.advanceTimersByTimeAsync(1)
    expect(await ask(get, changed)).toMatchObject({ text: `${VAULT.scope} #3`, tookMs: 0 })
    expect(entra.exchanges[2]?.request.identity).toEqual(changed.identity)
  })
})
