/** Look-ups of ServiceAccounts: how many calls they cause, and which are refused. */
import { setImmediate } from 'node:timers/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { Overloaded } from '../../../src/injection/webhook/review-queue.ts'
import {
  createServiceAccountLookup,
  type ServiceAccountLookup,
} from '../../../src/injection/webhook/service-accounts.ts'

const CLIENT_ID = 'azure.workload.identity/client-id'

/** A look-up whose calls stay open until they are answered. */
function createTestLookup() {
  const calls: string[] = []
  const open: PromiseWithResolvers<Record<string, string> | undefined>[] = []
  const lookUp: ServiceAccountLookup = createServiceAccountLookup((namespace, name) => {
    calls.push(`${namespace}/${name}`)
    const call = Promise.withResolvers<Record<string, string> | undefined>()
    open.push(call)
    return call.promise
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

test('reads an account that did not exist again', async () => {
  const { lookUp, answer } = createTestLookup()
  const first = lookUp('shop', 'ghost')
  await answer(undefined)
  expect(await first).toEqual({ problem: 'does not exist; create it first' })
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
  test('causes 16 calls at the same time, and 503 beyond 256 reviews that wait', async () => {
    const { lookUp, calls, answer } = createTestLookup()
    const results = Array.from({ length: 300 }, (_, at) => lookUp('shop', `ghost-${at}`))
    const settled = Promise.allSettled(results)
    for (let at = 0; at < 272; at += 1) {
      await setImmediate()
      expect(calls).toHaveLength(Math.min(272, 16 + at))
      await answer(undefined)
    }
    const outcomes = await settled
    const refused = outcomes.filter(
      (each) => each.status === 'rejected' && each.reason instanceof Overloaded,
    )
    expect(refused).toHaveLength(28)
    expect(calls).toHaveLength(272)
  })

  test('gives up reviews that waited for two seconds, without a call', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const { lookUp, calls, answer } = createTestLookup()
    const first = Array.from({ length: 16 }, (_, at) => lookUp('shop', `ghost-${at}`))
    const late = [lookUp('shop', 'two'), lookUp('shop', 'three')].map((each) =>
      each.catch((error: unknown) => error),
    )
    vi.advanceTimersByTime(2000)
    for (const each of late) expect(await each).toBeInstanceOf(Overloaded)
    expect(calls).toHaveLength(16)
    await answer({})
    expect(await first[0]).toEqual({ annotations: {} })
    void lookUp('shop', 'four')
    await setImmediate()
    expect(calls.at(-1)).toBe('shop/four')
  })
})
