import { describe, expect, test } from 'vitest'
import { BrokerError } from '../../../src/lib/errors.ts'
import type { AssertionState } from '../../../src/broker/exchange/assertion-watcher.ts'
import { createReadiness } from '../../../src/broker/telemetry/readiness.ts'
import { NOW } from '../../fixtures/parts.ts'
import { readable } from './observed.ts'

const JWT = `eyJhbGciOiJSUzI1NiJ9.${'payload'.repeat(5)}.${'signature'.repeat(4)}`

const absent: AssertionState = {
  ok: false,
  error: new BrokerError('assertion_missing', 'there is no projected token'),
  since: 0,
}
const expired: AssertionState = {
  ok: true,
  assertion: { ...readable.assertion, expiresAt: NOW - 1 },
}

/** Creates a readiness with one projected token; `load` stands for its watcher. */
function start(first?: AssertionState) {
  const states = new Map<string, AssertionState>()
  let readyEvents = 0
  const check = createReadiness(
    () => states,
    () => (readyEvents += 1),
  )
  const load = (state: AssertionState): void => {
    states.set('file', state)
    check()
  }
  if (first !== undefined) load(first)
  return { check, load, readyEvents: () => readyEvents }
}

describe('readiness', () => {
  test.each<[string, AssertionState | undefined, string]>([
    ['before the first poll', undefined, 'the projected token has not been read yet'],
    ['while the token is missing', absent, 'there is no projected token'],
  ])('is false %s', (_, state, reason) => {
    const { ready, reasons } = start(state).check()
    expect(ready).toBe(false)
    expect(reasons.map(({ summary }) => summary)).toEqual([reason])
  })

  test.each([readable, expired])('is true once a token was read, and stays so', (state) => {
    const { check, load, readyEvents } = start(absent)
    expect(readyEvents()).toBe(0)
    load(state)
    load(absent)
    load(state)
    expect(check()).toEqual({ ready: true, reasons: [] })
    expect(readyEvents()).toBe(1)
  })
})

test('the readiness state has no token in it', () => {
  const error = new BrokerError('assertion_missing', `no file at /run/${JWT}`)
  const { reasons } = start({ ok: false, error, since: 0 }).check()
  expect(reasons).toMatchObject([{ summary: 'no file at /run/[redacted]' }])
})
