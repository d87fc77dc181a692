import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { shareScrapes } from '../../src/service/admin.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

test('scrapes share one result until it is a second old, however long it takes', async () => {
  const pending: PromiseWithResolvers<string>[] = []
  const scrape = shareScrapes(() => {
    const scraped = Promise.withResolvers<string>()
    pending.push(scraped)
    return scraped.promise
  })
  const first = scrape()
  await vi.advanceTimersByTimeAsync(5000)
  const second = scrape()
  pending[0]?.resolve('1')
  expect(await second).toBe(await first)
  await vi.advanceTimersByTimeAsync(999)
  expect(await scrape()).toBe(await first)
  expect(pending).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(1)
  void scrape()
  expect(pending).toHaveLength(2)
})
