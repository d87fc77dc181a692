import { expect, test } from 'vitest'
import { memoizeLast } from '../../src/sidecar/memoize-last.ts'

function createCounted() {
  const texts: string[] = []
  const parse = memoizeLast((text) => {
    texts.push(text)
    if (text === 'bad') throw new Error('bad')
    return { text }
  })
  return { parse, texts }
}

test('computes the same text once while it is the last one', () => {
  const { parse, texts } = createCounted()
  expect(parse('a')).toBe(parse('a'))
  for (const text of ['b', 'a', 'a']) expect(parse(text)).toEqual({ text })
  expect(texts).toEqual(['a', 'b', 'a'])
})

test('does not remember errors', () => {
  const { parse, texts } = createCounted()
  expect(() => parse('bad')).toThrow('bad')
  expect(() => parse('bad')).toThrow('bad')
  expect(texts).toEqual(['bad', 'bad'])
})
