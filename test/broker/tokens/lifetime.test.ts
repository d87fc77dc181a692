import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Clock,
  computeExpiry,
  computeRefreshDelayMs,
  createLifetime,
  toWallTimes,
  ttlMs,
} from '../../../src/broker/tokens/lifetime.ts'
import { HOUR_MS, MINUTE_MS } from './setup.ts'

const at = (wall: number, monotonic: number): Clock => ({
  wall: () => wall,
  monotonic: () => monotonic,
})

const WALL = 1_800_000_000_000
const LIFETIME = createLifetime(20_000, 30_000, at(WALL, 20_000))

test.each([
  ['both clocks agree', 20_000, 20_000, 10_000],
  ['the wall clock was set back', -80_000, 20_000, 10_000],
  ['the wall clock was set forward, or the machine slept', 25_000, 20_000, 5000],
  ['the clocks drifted by less than half a second', 19_700, 20_000, 10_300],
])('ttlMs returns the time to live when %s', (_, wallPassed, passed, expected) => {
  expect(ttlMs(LIFETIME, at(WALL + wallPassed, 20_000 + passed))).toBe(expected)
})

test('a lifetime contains the time of the wall clock after it was set back', () => {
  const lifetime = createLifetime(0, 24 * HOUR_MS, at(WALL, 0))
  const clock = at(WALL + MINUTE_MS - 10 * HOUR_MS, MINUTE_MS)
  const { obtainedAt, expiresAt } = toWallTimes(lifetime, clock)
  expect(clock.wall() - obtainedAt).toBe(MINUTE_MS)
  expect(expiresAt - obtainedAt).toBe(24 * HOUR_MS)
})

test('computeExpiry returns an expires_in of at least 1 that agrees with expires_on', () => {
  const ms = fc.double({ min: -5000, max: 90_000_000, noNaN: true })
  fc.assert(
    fc.property(ms, ms, (wallPassed, passed) => {
      const clock = at(WALL + wallPassed, 20_000 + passed)
      const { expiresIn, expiresOn } = computeExpiry(LIFETIME, clock)
      expect(Number.isInteger(expiresIn)).toBe(true)
      expect(expiresIn).toBeGreaterThanOrEqual(1)
      expect(expiresOn).toBe(Math.floor(clock.wall() / 1000) + expiresIn)
      // A token never lives for less than the reply says, except in its last second.
      const ttl = Math.max(1000, ttlMs(LIFETIME, clock))
      expect(expiresOn * 1000).toBeLessThanOrEqual(clock.wall() + ttl)
    }),
  )
})

describe('computeRefreshDelayMs', () => {
  test.each([
    ['half of the lifetime', 4 * HOUR_MS, undefined, 100, 0.5, 2 * HOUR_MS],
    ['a tenth later, by jitter', 4 * HOUR_MS, undefined, 100, 1, 2.2 * HOUR_MS],
    ['refresh_in', 24 * HOUR_MS, 10 * HOUR_MS, 100, 0, 10 * HOUR_MS],
    ['a tenth after refresh_in, by jitter', 24 * HOUR_MS, 10 * HOUR_MS, 100, 1, 11 * HOUR_MS],
    ['50 min of an hour at most', HOUR_MS, 59 * MINUTE_MS, 100, 0, 50 * MINUTE_MS],
    ['a tenth of the lifetime', HOUR_MS, 1000, 5, 0, 6 * MINUTE_MS],
    ['at least a second', 1000, undefined, 5, 0.5, 1000],
    ['a time early enough for a slow exchange', 6000, 5000, 800, 0, 4500],
  ])('returns %s', (_, lifetimeMs, refreshInMs, durationMs, random, expected) => {
    const delayMs = computeRefreshDelayMs({ lifetimeMs, refreshInMs }, durationMs, () => random)
    expect(delayMs).toBeCloseTo(expected, 3)
  })
})
