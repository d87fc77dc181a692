import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { BrokerError } from '../../src/errors.ts'
import { cached, type CacheResult } from '../../src/tokens/token-cache.ts'
import { systemClock } from '../../src/tokens/clock.ts'
import type { TokenSource } from '../../src/tokens/token.ts'
import { aToken, NOW, ORDERS } from '../fixtures/parts.ts'

beforeEach(() => vi.useFakeTimers({ now: NOW }))
afterEach(() => vi.useRealTimers())

const request = { identity: ORDERS, scope: 'https://vault.azure.net/.default', keepWarm: true }

/** What the cache reports while ten minutes pass with tokens that are to be renewed after five. */
async function reported(source: TokenSource): Promise<CacheResult[]> {
  const results: CacheResult[] = []
  const cache = cached(source, {
    max: 10,
    random: () => 0,
    onResult: (result) => results.push(result),
  })
  await cache.tokens(request)
  await vi.advanceTimersByTimeAsync(6 * 60_000)
  cache.close()
  return results
}

const token = () => ({
  ...aToken(),
  obtainedAt: systemClock.wall(),
  expiresAt: systemClock.wall() + 3_600_000,
  expiresAtMonotonic: systemClock.monotonic() + 3_600_000,
  refreshInMs: 300_000,
})

test('a token renewed while nobody waits is reported as refreshed', async () => {
  expect(await reported(() => Promise.resolve(token()))).toEqual(['miss', 'refreshed'])
})

test('a renewal that failed is not', async () => {
  let isFirst = true
  const source: TokenSource = async () => {
    if (!isFirst) throw new BrokerError('entra_timeout', 'too slow')
    isFirst = false
    return token()
  }
  expect(await reported(source)).toEqual(['miss'])
})
