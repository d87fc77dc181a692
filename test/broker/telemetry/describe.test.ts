import { describe, expect, test } from 'vitest'
import { BrokerError } from '../../../src/lib/errors.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { errorFields } from '../../../src/service/describe-failure.ts'
import { describeClaims } from '../../../src/broker/telemetry/describe.ts'

describe('errorFields', () => {
  test('has the ids for a support ticket', () => {
    const entra = { aadsts: 700213, traceId: 'a-trace', correlationId: 'a-correlation' }
    expect(
      errorFields(new BrokerError('federated_credential_not_found', 'no match', { entra })),
    ).toEqual({
      code: 'federated_credential_not_found',
      message: 'no match',
      aadsts: 700213,
      entraTraceId: 'a-trace',
      entraCorrelationId: 'a-correlation',
    })
  })

  test('has the cause, unless the message contains it', () => {
    const cause = new Error('connect ECONNREFUSED')
    const error = new BrokerError('entra_unreachable', 'unreachable', { cause })
    expect(errorFields(error)).toMatchObject({ cause: 'connect ECONNREFUSED' })
    const same = new BrokerError('entra_unavailable', 'no match')
    expect(errorFields(new BrokerError('entra_timeout', 'no match', { cause: same }))).toEqual({
      code: 'entra_timeout',
      message: 'no match',
    })
  })

  test('has the stack of an unknown error in the cause alone', () => {
    expect(errorFields(new TypeError('x is not a function'))).toMatchObject({
      code: 'internal',
      message: expect.not.stringContaining('x is not'),
      cause: expect.stringMatching(/x is not a function\n\s+at /),
    })
  })
})

describe('describeClaims', () => {
  const claims = {
    secret: new Secret('an assertion'),
    issuer: 'https://issuer.test',
    subject: 'system:serviceaccount:shop:orders',
    audience: ['api://AzureADTokenExchange'],
    expiresAt: 0,
  }

  test('has each claim in a line, without characters that change the order of others', () => {
    const assertion = { ...claims, subject: 'system:\u202eevil\n', audience: ['a\u2066b'] }
    expect(describeClaims(assertion)).toMatchObject({ subject: 'system:?evil ', audience: ['a?b'] })
  })

  test('truncates claims of 64 KiB', () => {
    const long = 'x'.repeat(65_536)
    const assertion = { ...claims, issuer: long, subject: long, audience: Array(9).fill(long) }
    expect(JSON.stringify(describeClaims(assertion)).length).toBeLessThan(5000)
  })
})
