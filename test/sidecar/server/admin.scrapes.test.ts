import { expect, test } from 'vitest'
import { shareScrapes } from '../../../src/sidecar/server/admin.ts'

/** Creates a shared scrape whose calls are numbered and resolve by `resolveNext`. */
function createScrape() {
  let count = 0
  let nowMs = 0
  const pending: PromiseWithResolvers<{ contentType: string; body: string }>[] = []
  const scrape = shareScrapes(
    () => {
      count += 1
      const call = Promise.withResolvers<{ contentType: string; body: string }>()
      pending.push(call)
      return call.promise
    },
    () => nowMs,
  )
  return {
    scrape,
    count: () => count,
    advance: (ms: number) => (nowMs += ms),
    resolveNext: () => pending.shift()?.resolve({ contentType: 'text/plain', body: String(count) }),
    rejectNext: () => pending.shift()?.reject(new Error('failed')),
  }
}

test('concurrent scrapes share one exposition, however long it takes', async () => {
  const { scrape, count, advance, resolveNext } = createScrape()
  const first = scrape()
  advance(5000)
  const second = scrape()
  resolveNext()
  expect(await second).toBe(await first)
  expect(count()).toBe(1)
})

test('a scrape within a second gets the cached exposition, and a later one a new one', async () => {
  const { scrape, count, advance, resolveNext } = createScrape()
  const first = scrape()
  resolveNext()
  await first
  advance(999)
  expect(await scrape()).toBe(await first)
  advance(1)
  const later = scrape()
  resolveNext()
  expect(await later).toMatchObject({ body: '2' })
  expect(count()).toBe(2)
})

test('a failed scrape is not cached', async () => {
  const { scrape, resolveNext, rejectNext } = createScrape()
  const failed = scrape()
  rejectNext()
  await expect(failed).rejects.toThrow('failed')
  const next = scrape()
  resolveNext()
  expect(await next).toMatchObject({ body: '2' })
})
