import { expect, test } from 'vitest'
import { createSingleFlight } from '../../src/lib/semaphore.ts'

const fail = () => Promise.reject(new Error('refused'))

test('callers of one key share a call until it ends, and callers of another key have their own', async () => {
  const share = createSingleFlight<string>()
  const calls: PromiseWithResolvers<string>[] = []
  const work = () => {
    const call = Promise.withResolvers<string>()
    calls.push(call)
    return call.promise
  }
  const results = [share('a', work), share('a', work), share('b', work)]
  expect(calls).toHaveLength(2)
  calls[0]?.resolve('first')
  calls[1]?.resolve('second')
  expect(await Promise.all(results)).toEqual(['first', 'first', 'second'])

  const next = share('a', work)
  expect(calls).toHaveLength(3)
  calls[2]?.resolve('third')
  expect(await next).toBe('third')
})

test('a failure reaches all callers and is not cached', async () => {
  const share = createSingleFlight<string>()
  const outcomes = await Promise.allSettled([share('a', fail), share('a', fail)])
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(await share('a', () => Promise.resolve('found'))).toBe('found')
})
