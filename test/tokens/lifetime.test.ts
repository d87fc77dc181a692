import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Clock } from '../../src/tokens/clock.ts'
import { expiry, remainingMs, renewalDelayMs } from '../../src/tokens/lifetime.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const at = (wall: number, monotonic: number): Clock => ({
  wall: () => wall,
  monotonic: () => monotonic,
})
const life = { expiresAt: 1_000_000, expiresAtMonotonic: 50_000 }

describe('what is left of a life', () => {
  test.each([
    ['both clocks agree', 990_000, 40_000, 10_000],
    ['the wall clock was set back', 890_000, 40_000, 10_000],
    ['the wall clock was set forward, or the machine slept', 995_000, 40_000, 5_000],
    ['the clocks drift by less than half a second', 989_700, 40_000, 10_300],
  ])('%s', (_, wall, monotonic, expected) => {
    expect(remainingMs(life, at(wall, monotonic))).toBe(expected)
  })
})

test('expires_in is at least 1 and never disagrees with expires_on', () => {
  const ms = fc.double({ min: -5000, max: 90_000_000, noNaN: true })
  fc.assert(
    fc.property(ms, ms, fc.nat(1_000_000), (byWall, byMonotonic, now) => {
      const wall = 1_800_000_000_000 + now
      const token = { expiresAt: wall + byWall, expiresAtMonotonic: byMonotonic }
      const { expiresIn, expiresOn } = expiry(token, at(wall, 0))
      expect(Number.isInteger(expiresIn)).toBe(true)
      expect(expiresIn).toBeGreaterThanOrEqual(1)
      expect(expiresOn).toBe(Math.floor(wall / 1000) + expiresIn)
      // Beyond its last second, no reply says more than there is.
      const left = Math.max(1000, remainingMs(token, at(wall, 0)))
      expect(expiresOn * 1000).toBeLessThanOrEqual(wall + left)
    }),
  )
})

const none = () => 0
const half = () => 0.5

describe('when a token is renewed, after it was asked for', () => {
  test.each([
    ['at half of its life', { lifetimeMs: 4 * HOUR_MS }, 100, half, 2 * HOUR_MS],
    [
      'when Entra ID says',
      { lifetimeMs: 24 * HOUR_MS, refreshInMs: 12 * HOUR_MS },
      100,
      none,
      12 * HOUR_MS,
    ],
    [
      'ten minutes before its end although Entra ID says later',
      { lifetimeMs: HOUR_MS, refreshInMs: 59 * MINUTE_MS },
      100,
      none,
      50 * MINUTE_MS,
    ],
    [
      'after a second, if Entra ID says so',
      { lifetimeMs: HOUR_MS, refreshInMs: 1000 },
      5,
      none,
      1000,
    ],
    ['never sooner than after a second', { lifetimeMs: 1000 }, 5, half, 1000],
    ['in time for a slow exchange', { lifetimeMs: 6000, refreshInMs: 5000 }, 800, none, 4500],
  ])('%s', (_, token, tookMs, random, expected) => {
    expect(renewalDelayMs(token, tookMs, random)).toBe(expected)
  })

  test('never in the last ten minutes of a life of more than twenty', () => {
    const lifetime = fc.integer({ min: 20 * MINUTE_MS + 1, max: 30 * HOUR_MS })
    const refresh = fc.option(fc.integer({ min: 1, max: 40 * HOUR_MS }), { nil: undefined })
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(lifetime, refresh, random, (lifetimeMs, refreshInMs, r) => {
        const token = { lifetimeMs, ...(refreshInMs !== undefined && { refreshInMs }) }
        const delay = renewalDelayMs(token, 200, () => r)
        expect(delay).toBeLessThanOrEqual(lifetimeMs - 10 * MINUTE_MS)
        expect(delay).toBeGreaterThanOrEqual(1000)
      }),
    )
  })

  test('spreads pods that were started together', () => {
    const delays = [0, 0.25, 0.5, 0.75].map((r) =>
      renewalDelayMs({ lifetimeMs: 24 * HOUR_MS }, 100, () => r),
    )
    expect(new Set(delays).size).toBe(4)
    expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(HOUR_MS)
  })
})
