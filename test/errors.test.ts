import { expect, test } from 'vitest'
import { BrokerError, ERROR_KINDS, toBrokerError } from '../src/errors.ts'

const kinds = Object.entries(ERROR_KINDS)

// Clients read 401 and 403 as "no IMDS here", give up on 400, and ask again after the rest (R6, R14).
test.each(kinds.filter(([code]) => !['not_found', 'imdsv2_not_supported'].includes(code)))(
  '%s has a status that clients take for what it is',
  (_, { permanent, status }) => {
    expect(permanent ? [400, 405, 413] : [429, 500, 503, 504]).toContain(status)
  },
)

test('only a path that is not ours is not found', () => {
  expect(kinds.filter(([, { status }]) => status === 404).map(([code]) => code)).toEqual([
    'not_found',
  ])
})

test('an error knows its kind', () => {
  expect(new BrokerError('entra_timeout', 'x')).toMatchObject({ status: 504, isPermanent: false })
  expect(new BrokerError('federated_credential_not_found', 'x')).toMatchObject({
    status: 400,
    isPermanent: true,
  })
})

test('keeps an error of the closed list as it is', () => {
  const error = new BrokerError('entra_timeout', 'x', { retryAfterMs: 5 })
  expect(toBrokerError(error)).toBe(error)
})

test.each([new Error('the password is hunter2'), 'hunter2', undefined])(
  'tells a caller nothing of an unexpected %s',
  (thrown) => {
    const error = toBrokerError(thrown)
    expect(error).toMatchObject({ code: 'internal', status: 500, isPermanent: false })
    expect(error.message).not.toContain('hunter2')
    expect(error.cause).toBe(thrown)
  },
)

test('has a cause only when it was given one', () => {
  expect(new BrokerError('internal', 'x')).not.toHaveProperty('cause')
  expect(new BrokerError('internal', 'x', { cause: 1 }).cause).toBe(1)
})
