import { expect, test } from 'vitest'
import { describeFileError, errorMessage, removeTraceIds } from '../../src/lib/describe-error.ts'

const refused = (address: string) => new Error(`connect ECONNREFUSED ${address}`)

test.each([
  ['its message', new Error('it failed'), 'it failed'],
  [
    'the errors of a name with several addresses',
    new AggregateError([refused('127.0.0.1:80'), refused('::1:80')]),
    'connect ECONNREFUSED 127.0.0.1:80; connect ECONNREFUSED ::1:80',
  ],
  ['its code', Object.assign(new Error(), { code: 'EPIPE' }), 'EPIPE'],
  ['its name', new TypeError(), 'TypeError'],
  ['what was thrown instead', 'a text', 'a text'],
])('an error is described by %s', (_, error, message) => {
  expect(errorMessage(error)).toBe(message)
})

test.each([' ', '\r\n'])('removes the ids of Entra ID, which are separated by %j', (separator) => {
  const trailer = ['Trace ID: 1-2', 'Correlation ID: 3-4', 'Timestamp: 2025-07-01 23:32:51Z']
  const message = ['AADSTS700213: No match.', ...trailer].join(separator)
  expect(removeTraceIds(message)).toBe('AADSTS700213: No match')
  expect(removeTraceIds(`${message}. Fix: create one`)).toBe(
    'AADSTS700213: No match. Fix: create one',
  )
})

test('the fix for a file without permission names who needs it', () => {
  const error = Object.assign(new Error("EACCES: permission denied, open '/a, b'"), {
    code: 'EACCES',
  })
  expect(describeFileError('/a, b', error)).toEqual({
    problem: 'cannot read /a, b: permission denied',
    fix: 'let the user who runs wimds read it',
  })
})
