/** A simulated day of a fleet, by the delays of the sidecar: what jitter is worth, and that no pod loses its token. */
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
const APPLICATION = { lifetimeMs: [60 * MINUTE_MS, 90 * MINUTE_MS] } as const
const OUTAGE = { fromMs: 12.5 * HOUR_MS, toMs: 12.5 * HOUR_MS + 10 * MINUTE_MS }

test.each([
  ['managed identities', OPTIONS.token],
  ['applications', APPLICATION],
])('no pod of %s loses its token in an outage', (_, token) => {
  const day = simulateFleet({ ...OPTIONS, token, outage: OUTAGE })
  expect(day.failures).toBeGreaterThan(0)
  expect(day.firstRefreshes).toHaveLength(PODS)
  expect([day.withToken, day.withoutToken, day.expired]).toEqual([PODS, 0, 0])
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
