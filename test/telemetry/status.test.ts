import { describe, expect, test } from 'vitest'
import { BrokerError } from '../../src/errors.ts'
import type { AssertionState } from '../../src/exchange/assertion-watcher.ts'
import { status } from '../../src/telemetry/status.ts'
import { NOW } from '../fixtures/parts.ts'
import { exchange, readable } from './observed.ts'

const JWT = `eyJhbGciOiJSUzI1NiJ9.${'payload'.repeat(5)}.${'signature'.repeat(4)}`

const absent: AssertionState = {
  ok: false,
  error: new BrokerError('assertion_missing', 'there is no projected token'),
}
const expired: AssertionState = {
  ok: true,
  assertion: { ...readable.assertion, expiresAt: NOW - 1 },
}

/** Readiness with one projected token, whose watch is what `sees` stands for. */
function follow(first?: AssertionState, { awaitsPrefetch = false } = {}) {
  const states = new Map<string, AssertionState>()
  let timesTold = 0
  const health = status({
    assertions: () => states,
    awaitsPrefetch,
    now: () => NOW,
    onReady: () => (timesTold += 1),
  })
  const sees = (state: AssertionState): void => {
    states.set('file', state)
    health.onAssertion(state)
  }
  if (first !== undefined) sees(first)
  return { ...health, sees, timesTold: () => timesTold }
}

type Followed = ReturnType<typeof follow>

describe('ready', () => {
  test.each<[string, AssertionState | undefined, string]>([
    ['before the first look', undefined, 'the projected token has not been read yet'],
    ['while the token is absent', absent, 'there is no projected token'],
    ['while the token has been expired from the first', expired, 'the projected token has expired'],
  ])('is not said %s', (_, state, reason) => {
    expect(follow(state).readiness()).toEqual({ ready: false, reasons: [reason] })
  })

  test.each([absent, expired])(
    'is said for good of a token that was valid for a while',
    (state) => {
      const { readiness, sees } = follow(absent)
      sees(readable)
      sees(state)
      expect(readiness()).toEqual({ ready: true, reasons: [] })
    },
  )

  test.each([absent, expired])(
    'is said for good once an exchange has succeeded, whatever the local clock says',
    (state) => {
      const { readiness, onExchange } = follow(state)
      const error = new BrokerError('entra_unreachable', 'out of reach')
      onExchange(exchange({ outcome: { ok: false, error } }))
      expect(readiness().ready).toBe(false)
      onExchange(exchange())
      onExchange(exchange({ outcome: { ok: false, error } }))
      expect(readiness()).toMatchObject({
        ready: true,
        reasons: [],
        lastExchange: { ok: false, code: 'entra_unreachable' },
      })
    },
  )
})

test.each([
  ['a valid token is read', absent, false, (of: Followed) => of.sees(readable)],
  ['an exchange succeeds', expired, false, (of: Followed) => of.onExchange(exchange())],
  ['the prefetch is over', readable, true, (of: Followed) => of.onPrefetched()],
])('that it is ready is told once, when %s', (_, state, awaitsPrefetch, happens) => {
  const followed = follow(state, { awaitsPrefetch })
  expect(followed.timesTold()).toBe(0)
  happens(followed)
  expect(followed.timesTold()).toBe(1)
  happens(followed)
  expect(followed.readiness().ready).toBe(true)
  expect(followed.timesTold()).toBe(1)
})

test('what anybody on the network can read of readiness holds no token', () => {
  const error = new BrokerError('assertion_missing', `there is none at /run/${JWT}`)
  const states = new Map<string, AssertionState>([['file', { ok: false, error }]])
  const { readiness, onExchange } = status({
    assertions: () => states,
    awaitsPrefetch: false,
    now: () => 0,
    onReady: () => {},
  })
  onExchange(exchange({ outcome: { ok: false, error } }))
  const told = JSON.stringify(readiness())
  expect(told.match(/there is none at \/run\/\[redacted\]/g)).toHaveLength(2)
  expect(told).not.toContain('payload')
})
