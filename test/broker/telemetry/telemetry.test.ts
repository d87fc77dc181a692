import { expect, test } from 'vitest'
import { BrokerError, type ErrorCode } from '../../../src/lib/errors.ts'
import { describeClaims } from '../../../src/broker/telemetry/describe.ts'
import { errorFields } from '../../../src/service/describe-failure.ts'
import { exchange, observe, readable, reply } from './observed.ts'

test('a projected token is logged with its claims, and one that cannot be read with the reason', () => {
  const { onAssertion, lines } = observe()
  onAssertion('/token', readable)
  const error = new BrokerError('assertion_empty', 'it is empty')
  onAssertion('/token', { ok: false, error, since: 0 })
  const { secret: _, ...claims } = readable.assertion
  const expiresAt = new Date(claims.expiresAt).toISOString()
  const common = { time: expect.any(String), file: '/token' }
  expect(lines.filter(({ file }) => file === '/token')).toEqual([
    { ...common, level: 'info', event: 'assertion_loaded', ...claims, expiresAt },
    {
      ...common,
      level: 'warn',
      event: 'assertion_failed',
      code: 'assertion_empty',
      message: 'it is empty',
    },
  ])
})

test.each([
  ['federated_credential_not_found', 0, 'warn', undefined],
  ['entra_unavailable', 61_999, 'warn', 61],
  ['federated_credential_not_found', 999, 'error', 0],
  ['assertion_expired', 61_999, 'error', 61],
] as const)(
  'an exchange that fails with %s and %i ms of a cached token left is logged at level %s',
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
])('a request that is rejected with %s is logged at level %s', (code, level) => {
  const { onReply, lines } = observe({ level: 'debug' })
  onReply(reply({ status: 400, error: new BrokerError(code, 'why') }))
  expect(lines).toMatchObject([{ level, event: 'request_rejected', code }])
})

test('a readiness probe does not count as a request of a client', async () => {
  const { onReply, document } = observe()
  onReply(reply({ protocol: 'none', headers: { 'user-agent': 'kube-probe/1.37' } }))
  expect(document([]).clients).toEqual([])
})

test('the same error of two client libraries is two failed requests', () => {
  const { onReply, document } = observe()
  const error = new BrokerError('api_version_invalid', 'no such version')
  for (const agent of ['curl/8.0.1', 'Wget/1.21.3', 'curl/7.88.1']) {
    onReply(reply({ status: 400, error, headers: { 'user-agent': agent } }))
  }
  expect(document([]).failedRequests).toMatchObject([
    { client: 'curl', clientVersion: '7.88.1', count: 2 },
    { client: 'wget', count: 1 },
  ])
})

test('errorFields has the cause, unless the message contains it', () => {
  const cause = new Error('connect ECONNREFUSED')
  const error = new BrokerError('entra_unreachable', 'unreachable', { cause })
  expect(errorFields(error)).toMatchObject({ cause: 'connect ECONNREFUSED' })
  const same = new BrokerError('entra_unavailable', 'no match')
  expect(errorFields(new BrokerError('entra_timeout', 'no match', { cause: same }))).toEqual({
    code: 'entra_timeout',
    message: 'no match',
  })
})

test('describeClaims puts each claim on one line, bounded, and without characters that reorder text', () => {
  const subject = 'system:\u202eevil\n'
  const long = 'x'.repeat(65_536)
  const assertion = { ...readable.assertion, issuer: long, subject, audience: ['a\u2066b'] }
  expect(describeClaims(assertion)).toMatchObject({ subject: 'system:?evil ', audience: ['a?b'] })
  const large = { ...assertion, subject: long, audience: Array(9).fill(long) }
  expect(JSON.stringify(describeClaims(large)).length).toBeLessThan(5000)
})
