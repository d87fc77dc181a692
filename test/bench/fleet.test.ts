import { describe, expect, test } from 'vitest'
import { fleetDay, type FleetOptions } from '../../bench/fleet/fleet.ts'
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
    const day = fleetDay({ ...OPTIONS, outage: OUTAGE })
    expect(fleetDay({ ...OPTIONS, outage: OUTAGE })).toEqual(day)
    expect(fleetDay({ ...OPTIONS, outage: OUTAGE, seed: 8 })).not.toEqual(day)
  })

  test.each([
    ['managed identities', MANAGED_IDENTITY, undefined],
    ['managed identities through an outage', MANAGED_IDENTITY, OUTAGE],
    ['applications', APPLICATION, undefined],
    ['applications through an outage', APPLICATION, OUTAGE],
  ])('loses no pod of %s, and no token', (_, token, outage) => {
    const day = fleetDay({ ...OPTIONS, token, ...(outage !== undefined && { outage }) })
    expect(sum(day.firstTries)).toBe(PODS)
    expect(day.firstRenewals).toHaveLength(PODS)
    expect([day.holding, day.without, day.ranOut]).toEqual([PODS, 0, 0])
  })

  test('counts pods that find no Entra ID all day as being without a token', () => {
    const day = fleetDay({ ...OPTIONS, pods: 5, outage: { fromMs: 0, toMs: 24 * HOUR_MS } })
    expect([day.holding, day.without]).toEqual([0, 5])
    expect(day.failures).toBe(sum(day.firstTries) + sum(day.laterTries))
  })

  test('has a token renewed once in half of a day, and more often after failures', () => {
    const until = { ...OPTIONS, dayMs: 23 * HOUR_MS }
    expect(sum(fleetDay(until).laterTries)).toBe(PODS)
    const withOutage = fleetDay({ ...until, outage: OUTAGE })
    expect(withOutage.failures).toBeGreaterThan(0)
    expect(sum(withOutage.laterTries)).toBe(PODS + withOutage.failures)
  })
})

describe('jitter', () => {
  const withJitter = fleetDay(OPTIONS)
  const without = fleetDay({ ...OPTIONS, jitter: false })

  test('lowers the peak of renewals a hundredfold for pods that started in one second', () => {
    expect(peak(without.laterTries, 2)).toBe(PODS)
    expect(peak(withJitter.laterTries, 2)).toBeLessThan(PODS / 100)
  })

  test('spreads the renewals over about an hour, where they came within a second', () => {
    expect(spreadMs(without)).toBeLessThan(1000)
    expect(spreadMs(withJitter)).toBeGreaterThan(HOUR_MS)
  })

  test('keeps an outage from putting the fleet back in step', () => {
    const after = fleetDay({ ...OPTIONS, outage: OUTAGE })
    expect(peak(after.laterTries, 1)).toBeLessThan(PODS / 50)
  })
})

test('a peak is the most within any window, wherever it begins', () => {
  expect(peak(Uint32Array.of(1, 5, 0, 2, 4), 1)).toBe(5)
  expect(peak(Uint32Array.of(1, 5, 0, 2, 4), 2)).toBe(6)
  expect(peak(Uint32Array.of(1, 5, 0, 2, 4), 60)).toBe(12)
})
