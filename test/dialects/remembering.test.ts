import { expect, test } from 'vitest'
import { remembering } from '../../src/dialects/remembering.ts'

/** A parser that counts how often it is asked. */
function counted() {
  const texts: string[] = []
  const parse = remembering((text) => {
    texts.push(text)
    if (text === 'bad') throw new Error('bad')
    return { text }
  })
  return { parse, texts }
}

test('parses the same text once', () => {
  const { parse, texts } = counted()
  expect(parse('a')).toBe(parse('a'))
  expect(parse('b')).toEqual({ text: 'b' })
  expect(texts).toEqual(['a', 'b'])
})

test('remembers no error', () => {
  const { parse, texts } = counted()
  expect(() => parse('bad')).toThrow('bad')
  expect(() => parse('bad')).toThrow('bad')
  expect(texts).toEqual(['bad', 'bad'])
})

test('gives each text its own value, whatever came before it', () => {
  const { parse, texts } = counted()
  for (const text of ['a', 'b', 'a', 'a', 'b']) expect(parse(text)).toEqual({ text })
  expect(texts).toEqual(['a', 'b'])
})

test('does not grow with a flood of texts, nor keep long ones beside others', () => {
  const { parse, texts } = counted()
  parse('kept')
  for (let i = 0; i < 1000; i += 1) parse(`flood ${i}`)
  parse('kept')
  expect(texts.filter((text) => text === 'kept')).toHaveLength(2)
  const long = 'x'.repeat(2000)
  parse(long)
  parse('between')
  parse(long)
  expect(texts.filter((text) => text === long)).toHaveLength(2)
})
