import { expect, test } from 'vitest'
import { splitFix } from '../../src/lib/describe-error.ts'

test.each([
  ['it failed. Fix: try again', 'it failed', 'try again'],
  ['it failed: “no.” Fix: try again', 'it failed: “no.”', 'try again'],
  ['it failed', 'it failed', undefined],
  ['a failed. Fix: mend a. Fix: mend b', 'a failed', 'mend a. Fix: mend b'],
])('the message “%s” is split', (message, problem, fix) => {
  expect(splitFix(message)).toEqual({ problem, fix })
})
