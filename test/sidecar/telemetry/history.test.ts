import { expect, test } from 'vitest'
import { createHistory } from '../../../src/sidecar/telemetry/history.ts'
import { exchange, VAULT } from './observed.ts'

test('keeps no token', () => {
  const history = createHistory(() => 0)
  history.onExchange(exchange())
  const { request, durationMs } = exchange()
  expect(history.exchanges()).toEqual([{ request, durationMs, endedAt: 0, count: 1 }])
})

test('lists a repeated exchange first, and forgets the one that was not repeated for the longest time', () => {
  const history = createHistory(() => 0)
  const add = (scope: string) =>
    history.onExchange(exchange({ request: { ...exchange().request, scope } }))
  const scopes = Array.from({ length: 20 }, (_, index) => `${VAULT}/${index}`)
  scopes.forEach(add)
  const [first = '', , ...others] = scopes
  add(first)
  add('new')
  expect(history.exchanges().map(({ request, count }) => [request.scope, count])).toEqual([
    ['new', 1],
    [first, 2],
    ...others.toReversed().map((scope) => [scope, 1]),
  ])
})
