import { expect, test, vi } from 'vitest'
import { EntryStore, FAILURE_WINDOW_MS } from '../../../src/broker/tokens/cache-entry.ts'
import { createLifetime, systemClock } from '../../../src/broker/tokens/lifetime.ts'
import { BrokerError } from '../../../src/lib/errors.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { VAULT } from './scripted-entra.ts'
import { MINUTE_MS, useFakeTime } from './setup.ts'

useFakeTime()

/** Returns a store with a key that has been requested and has failed. */
function setUpFailure() {
  const store = new EntryStore(10, systemClock, () => 0.5)
  const entry = store.find(VAULT)
  entry.lastUsedAt = systemClock.monotonic()
  store.add(entry)
  entry.fail(new BrokerError('resource_refused', 'refused', 'name another resource'))
  return { store, entry }
}

test('a failure that nobody asks for leaves the store once its streak is over', () => {
  const { store } = setUpFailure()
  expect(store.describe()).toMatchObject([{ failure: { count: 1 } }])
  vi.advanceTimersByTime(FAILURE_WINDOW_MS)
  expect(store.describe()).toEqual([])
  expect(store.all()).toHaveLength(1)
  vi.advanceTimersByTime(10 * MINUTE_MS)
  expect(store.describe()).toEqual([])
  expect(store.all()).toEqual([])
})

test('a token that nobody asks for leaves the store once it has expired', () => {
  const store = new EntryStore(10, systemClock, () => 0.5)
  const entry = store.find(VAULT)
  store.add(entry)
  const lifetime = createLifetime(systemClock.monotonic(), MINUTE_MS, systemClock)
  entry.succeed({ secret: new Secret('token'), lifetime })
  expect(store.describe()).toHaveLength(1)
  vi.advanceTimersByTime(MINUTE_MS)
  expect(store.describe()).toEqual([])
  expect(store.all()).toEqual([])
})

test('a failure that is asked for, or whose token is prefetched, stays in the store', () => {
  const { store, entry } = setUpFailure()
  vi.advanceTimersByTime(60 * MINUTE_MS)
  entry.lastUsedAt = systemClock.monotonic()
  expect(store.describe()).toHaveLength(1)
  entry.isPrefetched = true
  vi.advanceTimersByTime(60 * MINUTE_MS)
  expect(store.describe()).toHaveLength(1)
})
