import { expect, test } from 'vitest'
import { BrokerError } from '../../src/errors.ts'
import type { AssertionState } from '../../src/exchange/assertion-watch.ts'
import { status } from '../../src/telemetry/status.ts'
import { exchange } from './observed.ts'

const JWT = `eyJhbGciOiJSUzI1NiJ9.${'payload'.repeat(5)}.${'signature'.repeat(4)}`

test('what anybody on the network can read of readiness holds no token', () => {
  const error = new BrokerError('assertion_missing', `there is none at /run/${JWT}`)
  const states = new Map<string, AssertionState>([['file', { ok: false, error }]])
  const { readiness, onExchange } = status({
    assertions: () => states,
    isPrefetched: () => true,
    now: () => 0,
  })
  onExchange(exchange({ outcome: { ok: false, error } }))
  const told = JSON.stringify(readiness())
  expect(told.match(/there is none at \/run\/\[redacted\]/g)).toHaveLength(2)
  expect(told).not.toContain('payload')
})
