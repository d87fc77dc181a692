import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { segmented } from '../../src/tokens/segmented.ts'

interface Value {
  readonly key: string
}

const MAX = 100
const keys = (name: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${name}-${index}`)

function setUp(max = MAX) {
  const evicted: string[] = []
  const cache = segmented<Value>(max, ({ key }) => evicted.push(key))
  return {
    cache,
    evicted,
    /** As a caller does: what is not held is set. Whether it was held. */
    use: (key: string): boolean => {
      if (cache.get(key) !== undefined) return true
      cache.set(key, { key })
      return false
    },
  }
}

test('what was found again outlives any number of values that were not', () => {
  const { cache, evicted, use } = setUp()
  const again = keys('again', 75)
  for (const key of [...again, ...again]) use(key)
  for (const key of keys('once', 10_000)) use(key)
  expect(again.filter((key) => cache.get(key) === undefined)).toEqual([])
  expect(evicted).toHaveLength(10_000 - 25)
})

test('a quarter of the room is open to what is new, however much was found again', () => {
  const { cache, use } = setUp()
  const again = keys('again', MAX)
  for (const key of [...again, ...again]) use(key)
  const fresh = keys('fresh', 25)
  for (const key of fresh) use(key)
  expect(fresh.filter((key) => cache.get(key) === undefined)).toEqual([])
})

test('of what was found again the least recently used goes first', () => {
  const { cache, use } = setUp()
  const again = keys('again', MAX)
  for (const key of [...again, ...again]) use(key)
  for (const key of keys('fresh', 25)) use(key)
  expect(again.filter((key) => cache.get(key) === undefined)).toEqual(again.slice(0, 25))
})

test('as many as there is room for are all held, also when they come in turn', () => {
  const { use } = setUp()
  const all = keys('in-turn', MAX)
  for (const key of all) use(key)
  for (let round = 0; round < 5; round += 1) expect(all.every(use)).toBe(true)
})

describe('whatever is set, found and deleted', () => {
  const step = fc.record({
    does: fc.constantFrom('use', 'use', 'use', 'set', 'delete'),
    key: fc.nat(30).map(String),
  })

  test('it holds what was set last and not evicted since, and never more than the bound', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.array(step), (max, steps) => {
        const { cache, evicted, use } = setUp(max)
        const expected = new Set<string>()
        for (const { does, key } of steps) {
          if (does === 'use') use(key)
          if (does === 'set') cache.set(key, { key })
          if (does === 'delete') cache.delete(key)
          if (does === 'delete') expected.delete(key)
          else expected.add(key)
          const gone = evicted.splice(0)
          // What comes is not what goes, and nothing goes twice.
          expect(gone).not.toContain(key)
          expect(gone.every((other) => expected.delete(other))).toBe(true)
          const held = cache.values().map((value) => value.key)
          expect(held.toSorted()).toEqual([...expected].toSorted())
          expect(held.length).toBeLessThanOrEqual(max)
        }
        cache.clear()
        expect(cache.values()).toEqual([])
      }),
    )
  })
})
