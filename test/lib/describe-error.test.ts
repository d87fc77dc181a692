import { expect, test } from 'vitest'
import { removeTraceIds, splitFix } from '../../src/lib/describe-error.ts'

test.each([
  ['it failed. Fix: try again', 'it failed', 'try again'],
  ['it failed: “no.” Fix: try again', 'it failed: “no.”', 'try again'],
  ['it failed', 'it failed', undefined],
  ['a failed. Fix: mend a. Fix: mend b', 'a failed', 'mend a. Fix: mend b'],
])('the message “%s” is split', (message, problem, fix) => {
  expect(splitFix(message)).toEqual({ problem, fix })
})

test.each([' ', '\r\n'])('removes the ids of Entra ID, which are separated by %j', (separator) => {
  const trailer = ['Trace ID: 1-2', 'Correlation ID: 3-4', 'Timestamp: 2025-07-01 23:32:51Z']
  const message = ['AADSTS700213: No match.', ...trailer].join(separator)
  expect(removeTraceIds(message)).toBe('AADSTS700213: No match.')
  expect(removeTraceIds(`${message}. Fix: create one`)).toBe(
    'AADSTS700213: No match. Fix: create one',
  )
  expect(removeTraceIds(`${message}; until 09:41 UTC`)).toBe(
    'AADSTS700213: No match; until 09:41 UTC',
  )
})
