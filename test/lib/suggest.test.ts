import { expect, test } from 'vitest'
import { suggest } from '../../src/lib/suggest.ts'

test.each([
  ['docter', '. Did you mean doctor?'],
  ['hlp', '. Did you mean help?'],
  ['Env', '. Did you mean env?'],
  ['', ''],
  ['x', ''],
  ['x'.repeat(100_000), ''],
])('suggests for %.20j: %j', (word, suggestion) => {
  expect(suggest(word, ['doctor', 'help', 'env'])).toBe(suggestion)
})

test('suggests a candidate in its own case', () => {
  expect(suggest('listn', ['LISTEN', 'MODE'], 'WIMDS_')).toBe('. Did you mean WIMDS_LISTEN?')
})
