import { expect, test } from 'vitest'
import { createHistory } from '../../../src/sidecar/telemetry/history.ts'

test('lists a repeated kind first, and forgets the one that was not repeated for the longest time', () => {
  let now = 0
  const history = createHistory<number>(() => now)
  const add = (kind: string) => history.add(kind, ++now)
  const kinds = Array.from({ length: 20 }, (_, index) => `kind ${index}`)
  kinds.forEach(add)
  add('kind 0')
  add('new')
  const expected = Array.from({ length: 18 }, (_, index) => ({ at: 20 - index, count: 1 }))
  expect(history.all()).toMatchObject([{ at: 22, count: 1 }, { at: 21, count: 2 }, ...expected])
})
