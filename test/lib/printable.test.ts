import { expect, test } from 'vitest'
import { toLine } from '../../src/lib/printable.ts'

test('toLine keeps letters of every script, and nothing that ends the line or controls a terminal', () => {
  expect(toLine('Straße → 東京')).toBe('Straße → 東京')
  expect(toLine('a\u0000b\u0085c')).toBe('a?b?c')
  expect(toLine('\u001B[31m\u009B2J\u202Egnp.exe')).toBe('?[31m?2J?gnp.exe')
})

test('toLine joins lines by a space, without their indentation', () => {
  expect(toLine('refused\r\nTrace ID: 8b\n\n  ^^^^\u2028c\u2029d')).toBe(
    'refused Trace ID: 8b ^^^^ c d',
  )
})
