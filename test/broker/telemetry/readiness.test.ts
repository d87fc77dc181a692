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
function start(first?: AssertionState, { readyAfterPrefetch = false } = {}) {
  const states = new Map<string, AssertionState>()
  let readyEvents = 0
  const readiness = createReadiness({
    assertions: () => states,
    readyAfterPrefetch,
    onReady: () => (readyEvents += 1),
  })
  const load = (state: AssertionState): void => {
    states.set('file', state)
    readiness.check()
  }
  if (first !== undefined) load(first)
  return { ...readiness, load, readyEvents: () => readyEvents }
}

type Started = ReturnType<typeof start>

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
    const { check: readiness, load } = start(absent)
    load(state)
    load(absent)
    expect(readiness()).toEqual({ ready: true, reasons: [] })
  })
})

test.each([
  ['a token is read', absent, false, (of: Started) => of.load(readable)],
  ['the prefetch has ended', readable, true, (of: Started) => of.onPrefetched()],
])('onReady is called once, when %s', (_, state, readyAfterPrefetch, happens) => {
  const started = start(state, { readyAfterPrefetch })
  expect(started.readyEvents()).toBe(0)
  happens(started)
  expect(started.readyEvents()).toBe(1)
  happens(started)
  expect(started.check().ready).toBe(true)
  expect(started.readyEvents()).toBe(1)
})

test('the readiness state has no token in it', () => {
  const error = new BrokerError('assertion_missing', `no file at /run/${JWT}`)
  const { reasons } = start({ ok: false, error, since: 0 }).check()
  expect(reasons).toMatchObject([{ summary: 'no file at /run/[redacted]' }])
})
