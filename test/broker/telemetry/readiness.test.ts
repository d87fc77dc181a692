import { expect, test } from 'vitest'
import { BrokerError } from '../../../src/lib/errors.ts'
import type { AssertionState } from '../../../src/broker/exchange/assertion-watcher.ts'
import { createReadiness } from '../../../src/broker/telemetry/readiness.ts'
import { NOW } from '../../fixtures/parts.ts'
import { readable } from './observed.ts'

const JWT = `eyJhbGciOiJSUzI1NiJ9.${'payload'.repeat(5)}.${'signature'.repeat(4)}`

const absent: AssertionState = {
  ok: false,
  error: new BrokerError('assertion_missing', `no file at /run/${JWT}`),
  since: 0,
}
const expired: AssertionState = {
  ok: true,
  assertion: { ...readable.assertion, expiresAt: NOW - 1 },
}

/** Creates a readiness with one projected token; `load` stands for its watcher. */
function start() {
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
  return { check, load, readyEvents: () => readyEvents }
}

test('a sidecar is ready once a token was read, expired or not, and stays so', () => {
  const { check, load, readyEvents } = start()
  expect(check()).toMatchObject({ ready: false, reasons: [{ summary: expect.any(String) }] })
  load(absent)
  expect(check()).toEqual({
    ready: false,
    reasons: [{ summary: 'no file at /run/[redacted]', file: 'file' }],
  })
  load(expired)
  load(absent)
  expect(check()).toEqual({ ready: true, reasons: [] })
  expect(readyEvents()).toBe(1)
})
