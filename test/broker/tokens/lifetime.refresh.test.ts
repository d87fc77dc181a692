import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { computeRefreshDelayMs } from '../../../src/broker/tokens/lifetime.ts'
import { HOUR_MS, MINUTE_MS } from './setup.ts'

/** A token with this lifetime, and with this refresh_in if it is given. */
const token = (lifetimeMs: number, refreshInMs?: number) => ({
  lifetimeMs,
  ...(refreshInMs !== undefined && { refreshInMs }),
})

const lowest = () => 0
const half = () => 0.5

describe('computeRefreshDelayMs', () => {
  test.each([
    ['half of the lifetime', token(4 * HOUR_MS), 100, half, 2 * HOUR_MS],
    ['refresh_in', token(24 * HOUR_MS, 12 * HOUR_MS), 100, lowest, 12 * HOUR_MS],
    ['50 min of an hour at most', token(HOUR_MS, 59 * MINUTE_MS), 100, lowest, 50 * MINUTE_MS],
    ['a tenth of the lifetime', token(HOUR_MS, 1000), 5, lowest, 6 * MINUTE_MS],
    ['at least a second', token(1000), 5, half, 1000],
    ['a time early enough for a slow exchange', token(6000, 5000), 800, lowest, 4500],
  ])('returns %s', (_, given, durationMs, random, expected) => {
    expect(computeRefreshDelayMs(given, durationMs, random)).toBe(expected)
  })

  test('leaves at least ten minutes of a lifetime of more than twenty', () => {
    const lifetime = fc.integer({ min: 20 * MINUTE_MS + 1, max: 30 * HOUR_MS })
    const refresh = fc.option(fc.integer({ min: 1, max: 40 * HOUR_MS }), { nil: undefined })
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(lifetime, refresh, random, (lifetimeMs, refreshInMs, r) => {
        const delay = computeRefreshDelayMs(token(lifetimeMs, refreshInMs), 200, () => r)
        expect(delay).toBeLessThanOrEqual(lifetimeMs - 10 * MINUTE_MS)
        expect(delay).toBeGreaterThanOrEqual(1000)
      }),
    )
  })

  test.each([
    ['without refresh_in', token(24 * HOUR_MS)],
    ['with refresh_in', token(24 * HOUR_MS, 12 * HOUR_MS)],
  ])('spreads the refreshes of pods that started together, %s', (_, given) => {
    const delays = [0, 0.25, 0.5, 1].map((r) => computeRefreshDelayMs(given, 100, () => r))
    expect(new Set(delays).size).toBe(4)
    expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(HOUR_MS)
  })
})
