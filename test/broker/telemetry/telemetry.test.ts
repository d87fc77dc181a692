import { describe, expect, test } from 'vitest'
import { BrokerError, type ErrorCode } from '../../../src/lib/errors.ts'
import { chooseRejectionLevel } from '../../../src/broker/telemetry/replies.ts'
import { exchange, observe, readable } from './observed.ts'

describe('onAssertion', () => {
  test('logs the claims of a token', () => {
    const { onAssertion, lines } = observe()
    onAssertion('/token', readable)
    const { secret: _secret, ...claims } = readable.assertion
    expect(lines.filter(({ file }) => file === '/token')).toEqual([
      {
        level: 'info',
        event: 'assertion_loaded',
        time: expect.any(String),
        file: '/token',
        ...claims,
        expiresAt: new Date(claims.expiresAt).toISOString(),
      },
    ])
  })

  test('logs why a token cannot be read', () => {
    const { onAssertion, lines } = observe()
    const error = new BrokerError('assertion_empty', 'it is empty')
    onAssertion('/token', { ok: false, error, since: 0 })
    const fields = { file: '/token', code: 'assertion_empty', message: 'it is empty' }
    expect(lines[0]).toMatchObject({ level: 'warn', event: 'assertion_failed', ...fields })
  })
})

test.each([
  ['federated_credential_not_found', 0, 'warn', undefined],
  ['entra_unavailable', 61_999, 'warn', 61],
  ['federated_credential_not_found', 999, 'error', 0],
  ['assertion_expired', 61_999, 'error', 61],
] as const)(
  'onExchange logs %s with %i ms of a cached token left at level %s',
  (code, cachedTtlMs, level, tokenLeftSeconds) => {
    const { onExchange, lines } = observe()
    const outcome = { ok: false, error: new BrokerError(code, 'why') } as const
    onExchange(exchange({ outcome, cachedTtlMs }))
    expect(lines).toMatchObject([{ level, event: 'exchange_failed', identity: 'orders', code }])
    expect(lines[0]?.['tokenLeftSeconds']).toBe(tokenLeftSeconds)
  },
)

test.each<[ErrorCode, string]>([
  ['metadata_header_missing', 'debug'],
  ['request_abandoned', 'info'],
  ['entra_timeout', 'info'],
  ['identity_not_found', 'warn'],
  ['internal', 'error'],
])('chooseRejectionLevel of %s is %s', (code, level) => {
  expect(chooseRejectionLevel(code)).toBe(level)
})
