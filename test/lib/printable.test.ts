import { expect, test } from 'vitest'
import { toLine } from '../../src/lib/printable.ts'

test('toLine keeps letters of every script, and nothing that ends the line or controls a terminal', () => {
  expect(toLine('Straße → 東京')).toBe('Straße → 東京')
  expect(toLine('a\nb\r\u2028c\u2029\u0085d')).toBe('a?b??c??d')
  expect(toLine('\u001B[31m\u009B2J\u202Egnp.exe')).toBe('?[31m?2J?gnp.exe')
})
