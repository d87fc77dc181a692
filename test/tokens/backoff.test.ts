import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { seeded } from '../../bench/fleet/random.ts'
import { BrokerError, type ErrorCode } from '../../src/errors.ts'
import { isMendedByAssertion, refusedProbeMs, retryDelayMs } from '../../src/tokens/backoff.ts'

const SECOND_MS = 1000
const HOUR_MS = 3600 * SECOND_MS
const error = (code: ErrorCode, retryAfterMs?: number) =>
  new BrokerError(code, 'failed', retryAfterMs === undefined ? {} : { retryAfterMs })
const highest = () => 1 - Number.EPSILON
const lowest = () => 0

describe('the ceiling of the delay', () => {
  test.each<[string, ErrorCode, { failures: number; heldMs: number }, number]>([
    ['one second at first, if nothing is held', 'entra_unavailable', { failures: 1, heldMs: 0 }, 1],
    ['twice as much each time', 'entra_timeout', { failures: 3, heldMs: 0 }, 4],
    ['a few seconds for a minute', 'entra_unreachable', { failures: 20, heldMs: 0 }, 8],
    [
      'more in an outage that lasts',
      'entra_unreachable',
      { failures: 30, heldMs: 0 },
      8 * 1.06 ** 10,
    ],
    ['half a minute at last', 'entra_unreachable', { failures: 1e6, heldMs: 0 }, 30],
    ['calmer while a token is held', 'entra_unavailable', { failures: 99, heldMs: 1e9 }, 60],
    ['slow for what propagates', 'trust_propagating', { failures: 1, heldMs: 0 }, 5],
    ['slow for an issuer out of reach', 'issuer_unreachable', { failures: 99, heldMs: 0 }, 30],
    ['the memory of a permanent refusal', 'application_refused', { failures: 9, heldMs: 0 }, 10],
    ['minutes for a refusal while held', 'policy_refused', { failures: 99, heldMs: 1e9 }, 300],
    ['the end of the held token', 'entra_unavailable', { failures: 99, heldMs: 7000 }, 7],
  ])('is %s', (_, code, attempt, seconds) => {
    const jitterless = code === 'application_refused' ? lowest : highest
    expect(retryDelayMs(error(code), attempt, jitterless)).toBeCloseTo(seconds * SECOND_MS, 3)
  })
})

test('is fully jittered, but for a quarter of a second', () => {
  const delays = [0, 0.5, 0.9].map((r) =>
    retryDelayMs(error('entra_unavailable'), { failures: 4, heldMs: 0 }, () => r),
  )
  expect(delays).toEqual([250, 4000, 7200])
})

describe('while nothing is held, the end of an outage', () => {
  const random = seeded(1)
  /** Of pods that try from its beginning: tries of each, and how long after its end each noticed. */
  function outage(lastsSeconds: number) {
    const pods = Array.from({ length: 1000 }, () => {
      let [at, failures] = [0, 0]
      while (at < lastsSeconds * SECOND_MS) {
        failures += 1
        at += retryDelayMs(error('entra_unavailable'), { failures, heldMs: 0 }, random)
      }
      return { failures, lateSeconds: at / SECOND_MS - lastsSeconds }
    })
    const late = pods.map(({ lateSeconds }) => lateSeconds).toSorted((a, b) => a - b)
    return {
      triesPerPod: pods.reduce((sum, { failures }) => sum + failures, 0) / pods.length,
      median: late[500] ?? Infinity,
      slowest: late.at(-1) ?? Infinity,
    }
  }

  test.each([10, 30, 60])('of %i seconds is noticed within seconds', (seconds) => {
    const { median, slowest } = outage(seconds)
    expect(median).toBeLessThan(3)
    expect(slowest).toBeLessThan(10)
  })

  test.each([120, 300, 600, 3600])(
    'of %i seconds is noticed after a small part of that, and within half a minute',
    (seconds) => {
      const { median, slowest } = outage(seconds)
      expect(median).toBeLessThan(Math.min(11, seconds / 20))
      expect(slowest).toBeLessThan(Math.min(31, seconds / 5))
    },
  )

  test('of ten minutes has cost each pod seventy tries, not 150', () => {
    expect(outage(600).triesPerPod).toBeLessThan(70)
  })
})

test('a try never comes sooner than Entra ID asked, held or not', () => {
  const codes: ErrorCode[] = ['entra_timeout', 'entra_throttled', 'trust_propagating', 'internal']
  fc.assert(
    fc.property(
      fc.constantFrom(...codes),
      fc.nat(HOUR_MS),
      fc.nat(HOUR_MS),
      fc.integer({ min: 1, max: 1e6 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (code, asked, heldMs, failures, r) => {
        const delay = retryDelayMs(error(code, asked), { failures, heldMs }, () => r)
        expect(delay).toBeGreaterThanOrEqual(asked)
        expect(delay).toBeLessThanOrEqual(Math.max(60 * SECOND_MS, asked * 1.2))
      },
    ),
  )
})

test.each([0, HOUR_MS])(
  'a permanent refusal is not remembered for longer because Entra ID asks for it (held: %i ms)',
  (heldMs) => {
    const delays = [undefined, HOUR_MS].map((asked) =>
      retryDelayMs(error('application_refused', asked), { failures: 1, heldMs }, () => 0.5),
    )
    expect(delays[1]).toBe(delays[0])
  },
)

test('a key that is kept warm and refused is tried again slowly', () => {
  expect(refusedProbeMs(1, lowest)).toBe(10 * SECOND_MS)
  expect(refusedProbeMs(99, highest)).toBeCloseTo(300 * SECOND_MS, 3)
})

test.each<[ErrorCode, boolean]>([
  ['federated_credential_not_found', true],
  ['trust_propagating', true],
  ['assertion_missing', true],
  ['assertion_expired', true],
  ['assertion_refused', true],
  ['issuer_unreachable', true],
  ['entra_throttled', false],
  ['entra_timeout', false],
  ['entra_unreachable', false],
])('whether a new projected token may mend %s: %s', (code, expected) => {
  expect(isMendedByAssertion(error(code))).toBe(expected)
})
