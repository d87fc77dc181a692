import { expect, test } from 'vitest'
import { httpDate } from '../../src/exchange/http-date.ts'

const NOW = Date.UTC(2026, 10, 24)

test.each([
  ['an IMF-fixdate', 'Sun, 06 Nov 1994 08:49:37 GMT'],
  ['a date of RFC 850', 'Sunday, 06-Nov-94 08:49:37 GMT'],
  ['a date of asctime', 'Sun Nov  6 08:49:37 1994'],
])('reads %s', (_, text) => {
  expect(httpDate(text, NOW)).toBe(Date.UTC(1994, 10, 6, 8, 49, 37))
})

test('two digits of a year are at most fifty years ahead', () => {
  expect(httpDate('Tuesday, 24-Nov-76 00:00:00 GMT', NOW)).toBe(Date.UTC(2076, 10, 24))
  expect(httpDate('Thursday, 24-Nov-77 00:00:00 GMT', NOW)).toBe(Date.UTC(1977, 10, 24))
})

test.each([
  '',
  'garbage 5000',
  'max-age=3600',
  'in 2100',
  '2100',
  '2026-11-24T00:00:00Z',
  'Invalid Date',
  'Sun, 06 Nov 1994 08:49:37 UTC',
  'Sun, 06 Nov 1994 08:49:37 +0100',
  'Sun, 6 Nov 1994 08:49:37 GMT',
  'sun, 06 nov 1994 08:49:37 gmt',
  'Mon, 06 Nov 1994 08:49:37 GMT',
  'Sun, 31 Feb 2027 08:49:37 GMT',
  'Sun, 06 Nov 1994 24:00:00 GMT',
  'Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT',
])('%j is no date', (text) => {
  expect(httpDate(text, NOW)).toBeUndefined()
})
