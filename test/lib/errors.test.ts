import { expect, test } from 'vitest'
import { BrokerError, ConfigError, ERROR_KINDS, toBrokerError } from '../../src/lib/errors.ts'

const kinds = Object.entries(ERROR_KINDS)
/** The codes that no token request gets: of documents, of the process, and of a reply that nobody reads. */
const NOT_FOR_TOKENS = new Set([
  'not_found',
  'imdsv2_not_supported',
  'instance_not_configured',
  'listen_failed',
  'request_abandoned',
])

// Clients take 401, 403 and 404 for "no IMDS here", give up after 400, and retry the others (R6, R14).
test.each(kinds.filter(([code]) => !NOT_FOR_TOKENS.has(code)))(
  'the status of %s tells clients whether to retry',
  (_, { permanent, status }) => {
    expect(permanent ? [400, 405, 413] : [429, 500, 503, 504]).toContain(status)
  },
)

test.each([
  ['federated_credential_not_found', false, 503],
  ['issuer_unreachable', true, 400],
] as const)(
  'a BrokerError %s whose permanence is %s has the status %i',
  (code, isPermanent, status) => {
    const error = new BrokerError(code, 'x', { isPermanent })
    expect(error).toMatchObject({ status, isPermanent })
    expect(error.with({ problem: 'y' })).toMatchObject({ status, isPermanent })
  },
)

test('a copy of a BrokerError keeps all details except the changed ones', () => {
  const details = {
    fix: 'try again',
    cause: 1,
    retryAfterMs: 5,
    isPermanent: false,
    entra: { aadsts: 700213 },
  }
  const error = new BrokerError('federated_credential_not_found', 'x', details)
  const { code } = error
  expect(error.with({})).toMatchObject({ code, message: 'x. Fix: try again', ...details })
  const changed = error.with({ problem: 'y', retryAfterMs: undefined })
  expect(changed).toMatchObject({ code, problem: 'y', ...details, retryAfterMs: undefined })
})

test.each([new Error('the password is hunter2'), undefined])(
  'toBrokerError hides the details of an unexpected %s',
  (thrown) => {
    const error = toBrokerError(thrown)
    expect(error).toMatchObject({ code: 'internal', status: 500, isPermanent: false })
    expect(error.message).not.toContain('hunter2')
    expect(error.cause).toBe(thrown)
    expect(toBrokerError(error)).toBe(error)
  },
)

test('a ConfigError lists its problems under its title', () => {
  const problems = [{ problem: 'a', fix: 'b' }, 'c']
  expect(new ConfigError(problems, { title: 'wrong:' })).toMatchObject({
    message: 'wrong:\n  a. Fix: b\n  c',
    problems: [{ problem: 'a', fix: 'b' }, { problem: 'c' }],
  })
})
