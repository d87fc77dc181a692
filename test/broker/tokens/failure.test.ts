import { describe, expect, test } from 'vitest'
import {
  computeNegativeTtlMs,
  computeRetryDelayMs,
  mayRecoverWithNewAssertion,
} from '../../../src/broker/tokens/failure.ts'
import { createEntraError } from './scripted-entra.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from './setup.ts'

const highest = () => 1 - Number.EPSILON
const lowest = () => 0
const half = () => 0.5

const createError = createEntraError
const propagating = createError('federated_credential_not_found').with({ isPermanent: false })
const throttled = createError('entra_throttled', 50 * MINUTE_MS)

const attempt = (failures: number, tokenTtlMs = 0) => ({ failures, tokenTtlMs })

describe('computeRetryDelayMs', () => {
  test.each([
    ['1 s at first', createError('entra_unavailable'), attempt(1), 1],
    ['twice as much each time', createError('entra_timeout'), attempt(3), 4],
    ['8 s without a token', createError('entra_unreachable'), attempt(1e6), 8],
    ['60 s with a token', createError('entra_unavailable'), attempt(99, 1e9), 60],
    ['1 s at first while a credential propagates', propagating, attempt(1), 1],
    ['30 s after that', createError('federated_credential_not_found'), attempt(99), 30],
    ['30 s for an issuer out of reach', createError('issuer_unreachable'), attempt(99), 30],
    ['300 s for a permanent failure', createError('policy_refused'), attempt(99, 1e9), 300],
    ['300 s for one without a token', createError('policy_refused'), attempt(99), 300],
    [
      'the backoff of one, not its Retry-After',
      createError('policy_refused', HOUR_MS),
      attempt(1, 1e9),
      30,
    ],
    ['the time of the token', createError('entra_unavailable'), attempt(99, 7000), 6.5],
    ['a fifth more than Retry-After', throttled, attempt(1), 3600],
  ])('is capped at %s', (_, error, failed, seconds) => {
    expect(computeRetryDelayMs(error, failed, highest)).toBeCloseTo(seconds * SECOND_MS, 3)
  })

  test('has full jitter above a quarter of a second', () => {
    const delays = [0, 0.5, 0.9].map((r) =>
      computeRetryDelayMs(createError('entra_unavailable'), attempt(4), () => r),
    )
    expect(delays).toEqual([250, 4000, 7200])
  })

  test('is never shorter than Retry-After, nor than 10 s for a permanent failure without a token', () => {
    expect(computeRetryDelayMs(throttled, attempt(1, HOUR_MS), lowest)).toBe(50 * MINUTE_MS)
    expect(computeRetryDelayMs(createError('policy_refused'), attempt(1), lowest)).toBe(10_000)
  })
})

test.each([
  ['a temporary failure until the retry', createError('entra_timeout'), 8000, half, 8000],
  ['a permanent failure with jitter', createError('policy_refused'), 300_000, half, 8750],
])('computeNegativeTtlMs caches %s', (_, error, retryDelayMs, random, expected) => {
  expect(computeNegativeTtlMs(error, retryDelayMs, random)).toBe(expected)
})

test.each([
  [createError('policy_refused'), true],
  [propagating, true],
  [createError('assertion_missing'), true],
  [createError('entra_throttled'), false],
])('mayRecoverWithNewAssertion of %s is %s', (error, expected) => {
  expect(mayRecoverWithNewAssertion(error)).toBe(expected)
})
