import { expect, test, vi } from 'vitest'
import { EntryStore } from '../../../src/broker/tokens/cache-entry.ts'
import { systemClock } from '../../../src/broker/tokens/lifetime.ts'
import { createEntraError, VAULT } from './scripted-entra.ts'
import { HOUR_MS, MINUTE_MS, useFakeTime } from './setup.ts'

useFakeTime()

test('a failure leaves the store once its streak is over, unless it is asked for or prefetched', () => {
  const store = new EntryStore(10, systemClock, () => 0.5)
  const entry = store.find(VAULT)
  store.add(entry)
  entry.fail(createEntraError('resource_refused'))
  entry.isPrefetched = true
  vi.advanceTimersByTime(HOUR_MS)
  expect(store.describe()).toMatchObject([{ failure: { count: 1 } }])
  entry.isPrefetched = false
  entry.lastUsedAt = systemClock.monotonic()
  expect(store.describe()).toHaveLength(1)
  entry.fail(createEntraError('resource_refused'))
  vi.advanceTimersByTime(5 * MINUTE_MS)
  expect(store.describe()).toEqual([])
  expect(store.all()).toHaveLength(1)
  vi.advanceTimersByTime(10 * MINUTE_MS)
  expect(store.describe()).toEqual([])
  expect(store.all()).toEqual([])
})
