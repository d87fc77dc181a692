/** Look-ups of ServiceAccounts: how many calls they cause, and which are refused. */
import { setImmediate } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Overloaded } from '../../../src/injection/webhook/review-queue.ts'
import { createServiceAccountLookup } from '../../../src/injection/webhook/service-accounts.ts'

const CLIENT_ID = 'azure.workload.identity/client-id'

/** A look-up whose calls stay open until they are answered. */
function createTestLookup() {
  const calls: string[] = []
  const open: PromiseWithResolvers<unknown>[] = []
  const lookUp = createServiceAccountLookup({
    call: async ({ path, timeoutMs }, schema) => {
      // The API server gives up a review after five seconds.
      expect(timeoutMs).toBe(2500)
      calls.push(path.replace(/^.*\/namespaces\/(.*)\/serviceaccounts\//, '$1/'))
      const call = Promise.withResolvers<unknown>()
      open.push(call)
      return schema.parse(await call.promise)
    },
    stream: () => Promise.reject(new Error('not used')),
  })
  return {
    lookUp,
    calls,
    /** Answers the oldest open call. */
    answer: async (annotations: Record<string, string>) => {
      await setImmediate()
      open.shift()?.resolve({ metadata: { annotations } })
      await setImmediate()
    },
  }
}

test('a flood of unknown ServiceAccounts causes at most 16 concurrent calls, and 503 if 256 reviews wait already', async () => {
  const { lookUp, calls, answer } = createTestLookup()
  // Reviews of one ServiceAccount share a call.
  void lookUp('shop', 'ghost-0')
  const results = Array.from({ length: 300 }, (_, at) => lookUp('shop', `ghost-${at}`))
  const settled = Promise.allSettled(results)
  for (let at = 0; at < 272; at += 1) {
    await setImmediate()
    expect(calls).toHaveLength(Math.min(272, 16 + at))
    await answer({})
  }
  const outcomes = await settled
  const refused = outcomes.filter(
    (each) => each.status === 'rejected' && each.reason instanceof Overloaded,
  )
  expect(refused).toHaveLength(28)
  expect(calls).toHaveLength(272)
})

test('rejects a review that has waited for two seconds, without a call', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const { lookUp, calls, answer } = createTestLookup()
  const first = Array.from({ length: 16 }, (_, at) => lookUp('shop', `ghost-${at}`))
  const late = [lookUp('shop', 'two'), lookUp('shop', 'three')].map((each) =>
    each.catch((error: unknown) => error),
  )
  vi.advanceTimersByTime(2000)
  for (const each of late) expect(await each).toBeInstanceOf(Overloaded)
  await answer({ [CLIENT_ID]: 'a' })
  expect(await first[0]).toEqual({ annotations: { [CLIENT_ID]: 'a' } })
  expect(calls).toHaveLength(16)
  // The rejected reviews occupy no place, so the next one gets a call.
  void lookUp('shop', 'four')
  await setImmediate()
  expect(calls.at(-1)).toBe('shop/four')
})
