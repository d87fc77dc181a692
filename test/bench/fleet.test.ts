import { describe, expect, test } from 'vitest'
import { simulateFleet, type FleetOptions } from '../../bench/fleet/fleet.ts'
import { peak, spreadMs } from '../../bench/fleet/scenarios.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const PODS = 1000
const OPTIONS: FleetOptions = {
  pods: PODS,
  startWithinMs: 1000,
  dayMs: 24 * HOUR_MS,
  token: { lifetimeMs: [24 * HOUR_MS, 24 * HOUR_MS], refreshInMs: 12 * HOUR_MS },
  jitter: true,
  seed: 7,
}
const MANAGED_IDENTITY = OPTIONS.token
const APPLICATION = { lifetimeMs: [60 * MINUTE_MS, 90 * MINUTE_MS] } as const
const OUTAGE = { fromMs: 12.5 * HOUR_MS, toMs: 12.5 * HOUR_MS + 10 * MINUTE_MS }

const sum = (counts: Uint32Array) => counts.reduce((total, count) => total + count, 0)

describe('a simulated day of a fleet', () => {
  test('is the same for the same seed, and another for another', () => {
    const day = simulateFleet({ ...OPTIONS, outage: OUTAGE })
    expect(simulateFleet({ ...OPTIONS, outage: OUTAGE })).toEqual(day)
    expect(simulateFleet({ ...OPTIONS, outage: OUTAGE, seed: 8 })).not.toEqual(day)
  })

  test.each([
    ['managed identities', MANAGED_IDENTITY, undefined],
    ['managed identities through an outage', MANAGED_IDENTITY, OUTAGE],
    ['applications', APPLICATION, undefined],
    ['applications through an outage', APPLICATION, OUTAGE],
  ])('loses no pod of %s, and no token', (_, token, outage) => {
    const day = simulateFleet({ ...OPTIONS, token, ...(outage !== undefined && { outage }) })
    expect(sum(day.firstAttempts)).toBe(PODS)
    expect(day.firstRefreshes).toHaveLength(PODS)
    expect([day.withToken, day.withoutToken, day.expired]).toEqual([PODS, 0, 0])
  })

  test('counts pods that find no Entra ID all day as being without a token', () => {
    const day = simulateFleet({ ...OPTIONS, pods: 5, outage: { fromMs: 0, toMs: 24 * HOUR_MS } })
    expect([day.withToken, day.withoutToken]).toEqual([0, 5])
    expect(day.failures).toBe(sum(day.firstAttempts) + sum(day.laterAttempts))
  })

  test('has a token renewed once in half of a day, and more often after failures', () => {
    const until = { ...OPTIONS, dayMs: 23 * HOUR_MS }
    expect(sum(simulateFleet(until).laterAttempts)).toBe(PODS)
    const withOutage = simulateFleet({ ...until, outage: OUTAGE })
    expect(withOutage.failures).toBeGreaterThan(0)
    expect(sum(withOutage.laterAttempts)).toBe(PODS + withOutage.failures)
  })
})

describe('jitter', () => {
  const withJitter = simulateFleet(OPTIONS)
  const withoutJitter = simulateFleet({ ...OPTIONS, jitter: false })

  test('lowers the peak of renewals a hundredfold for pods that started in one second', () => {
    expect(peak(withoutJitter.laterAttempts, 2)).toBe(PODS)
    expect(peak(withJitter.laterAttempts, 2)).toBeLessThan(PODS / 100)
  })

  test('spreads the renewals over about an hour, where they came within a second', () => {
    expect(spreadMs(withoutJitter)).toBeLessThan(1000)
    expect(spreadMs(withJitter)).toBeGreaterThan(HOUR_MS)
  })

  test('keeps an outage from putting the fleet back in step', () => {
    const after = simulateFleet({ ...OPTIONS, outage: OUTAGE })
    expect(peak(after.laterAttempts, 1)).toBeLessThan(PODS / 50)
  })
})

test('a peak is the most within any window, wherever it begins', () => {
  expect(peak(Uint32Array.of(1, 5, 0, 2, 4), 1)).toBe(5)
  expect(peak(Uint32Array.of(1, 5, 0, 2, 4), 2)).toBe(6)
  expect(peak(Uint32Array.of(1, 5, 0, 2, 4), 60)).toBe(12)
})
