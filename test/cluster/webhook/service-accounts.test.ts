/** Look-ups of ServiceAccounts: how many calls they cause, and which are refused. */
import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Overloaded } from '../../../src/cluster/webhook/review-queue.ts'
import {
  createServiceAccountLookup,
  type ServiceAccountLookup,
} from '../../../src/cluster/webhook/service-accounts.ts'

const CLIENT_ID = 'azure.workload.identity/client-id'

/** A look-up whose calls stay open until they are answered, on a clock that the test moves. */
function createTestLookup(
  options: { maxConcurrent?: number; maxWaiting?: number; maxWaitMs?: number } = {},
) {
  const calls: string[] = []
  const open: PromiseWithResolvers<Record<string, string> | undefined>[] = []
  let time = 1
  const lookUp: ServiceAccountLookup = createServiceAccountLookup({
    ...options,
    now: () => time,
    read: (namespace, name) => {
      calls.push(`${namespace}/${name}`)
      const call = Promise.withResolvers<Record<string, string> | undefined>()
      open.push(call)
      return call.promise
    },
  })
  return {
    lookUp,
    calls,
    /** Answers the oldest open call; undefined is a 404. */
    answer: async (annotations?: Record<string, string>) => {
      await setImmediate()
      open.shift()?.resolve(annotations)
      await setImmediate()
    },
    fail: async (error: Error) => {
      await setImmediate()
      open.shift()?.reject(error)
    },
    advance: (ms: number) => {
      time += ms
    },
  }
}

test('reads two annotations and drops all others', async () => {
  const { lookUp, answer } = createTestLookup()
  const result = lookUp('shop', 'orders')
  await answer({ [CLIENT_ID]: 'a', 'azure.workload.identity/tenant-id': 'b', large: 'x' })
  expect(await result).toEqual({
    annotations: { [CLIENT_ID]: 'a', 'azure.workload.identity/tenant-id': 'b' },
  })
})

test('rejects an annotation that is too long', async () => {
  const { lookUp, answer } = createTestLookup()
  const result = lookUp('shop', 'orders')
  await answer({ [CLIENT_ID]: 'x'.repeat(257) })
  expect(await result).toEqual({
    problem: `has an annotation ${CLIENT_ID} of more than 256 characters`,
  })
})

test('makes one call for reviews of one ServiceAccount at the same time (single flight)', async () => {
  const { lookUp, calls, answer } = createTestLookup()
  const results = Array.from({ length: 100 }, () => lookUp('shop', 'orders'))
  await answer({ [CLIENT_ID]: 'a' })
  expect(await Promise.all(results)).toHaveLength(100)
  expect(calls).toEqual(['shop/orders'])
})

test('caches a 404 for five seconds (negative cache)', async () => {
  const { lookUp, calls, answer, advance } = createTestLookup()
  const first = lookUp('shop', 'ghost')
  await answer(undefined)
  expect(await first).toEqual({ problem: 'does not exist; create it first' })
  advance(4999)
  expect(await lookUp('shop', 'ghost')).toEqual(await first)
  expect(calls).toHaveLength(1)
  advance(2)
  const later = lookUp('shop', 'ghost')
  await answer({})
  expect(await later).toEqual({ annotations: {} })
})

test('does not cache a failure', async () => {
  const { lookUp, calls, fail, answer } = createTestLookup()
  const failed = lookUp('shop', 'orders')
  const [outcome] = await Promise.all([
    failed.catch(String),
    fail(new Error('the API server answered 500')),
  ])
  expect(outcome).toContain('answered 500')
  const later = lookUp('shop', 'orders')
  await answer({})
  await later
  expect(calls).toHaveLength(2)
})

describe('a flood of unknown ServiceAccounts', () => {
  test('causes a bounded number of concurrent calls, and 503 beyond a bound of waiting reviews', async () => {
    const { lookUp, calls, answer } = createTestLookup({ maxConcurrent: 4, maxWaiting: 10 })
    const results = Array.from({ length: 200 }, (_, at) => lookUp('shop', `ghost-${at}`))
    const settled = Promise.allSettled(results)
    for (let at = 0; at < 14; at += 1) {
      await setImmediate()
      expect(calls).toHaveLength(Math.min(14, 4 + at))
      await answer(undefined)
    }
    const outcomes = await settled
    const refused = outcomes.filter(
      (each) => each.status === 'rejected' && each.reason instanceof Overloaded,
    )
    expect(refused).toHaveLength(186)
    expect(calls).toHaveLength(14)
  })

  test('gives up reviews that waited too long, without a call', async () => {
    const { lookUp, calls, answer } = createTestLookup({ maxConcurrent: 1, maxWaitMs: 0 })
    const first = lookUp('shop', 'one')
    const late = [lookUp('shop', 'two'), lookUp('shop', 'three')].map((each) =>
      each.catch((error: unknown) => error),
    )
    for (const each of late) expect(await each).toBeInstanceOf(Overloaded)
    await answer({})
    await first
    expect(calls).toEqual(['shop/one'])
    const next = lookUp('shop', 'four')
    await answer({})
    await next
  })
})
