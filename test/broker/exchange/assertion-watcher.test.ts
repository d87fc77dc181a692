import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { BrokerError } from '../../../src/lib/errors.ts'
import type { Assertion } from '../../../src/broker/exchange/assertion.ts'
import { watchAssertions } from '../../../src/broker/exchange/assertion-watcher.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { systemClock } from '../../../src/broker/tokens/lifetime.ts'

const FILE = '/var/run/token'
const anAssertion = (text: string): Assertion => ({
  secret: new Secret(text),
  issuer: 'https://issuer.test/',
  subject: 'system:serviceaccount:shop:orders',
  audience: ['api://AzureADTokenExchange'],
  expiresAt: 0,
})

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** Watches files with these contents. A file with undefined content is missing. */
function watch(contents: Record<string, string | Promise<string> | undefined>) {
  const reads: string[] = []
  const reported: string[] = []
  const watcher = watchAssertions({
    files: () => Object.keys(contents),
    read: async (file) => {
      reads.push(file)
      const text = await contents[file]
      if (text === undefined) throw new BrokerError('assertion_missing', file)
      return anAssertion(text)
    },
    clock: systemClock,
    onChange: (file, state) => {
      const what = state.ok ? state.assertion.secret.reveal() : state.error.code
      reported.push(file === FILE ? what : `${file}: ${what}`)
    },
  })
  onTestFinished(watcher.close)
  return { ...watcher, reads, reported }
}

test('reports the first state and each change once, and polls five times a second while a token is missing', async () => {
  const contents: Record<string, string | undefined> = { [FILE]: 'one', '/other': undefined }
  const { poll, reported, reads } = watch(contents)
  await poll()
  contents['/other'] = 'it'
  await vi.advanceTimersByTimeAsync(10_000)
  contents[FILE] = 'two'
  await vi.advanceTimersByTimeAsync(2000)
  contents[FILE] = undefined
  await vi.advanceTimersByTimeAsync(4000)
  const count = reads.length
  await vi.advanceTimersByTimeAsync(1000)
  expect(reads).toHaveLength(count + 10)
  contents[FILE] = 'two'
  await vi.advanceTimersByTimeAsync(200)
  expect(reported.splice(0, 2).toSorted()).toEqual(['/other: assertion_missing', 'one'])
  expect(reported).toEqual(['/other: it', 'two', 'assertion_missing', 'two'])
})

test('a failure keeps the time of the first failed read, and the subject of the last token', async () => {
  const contents: { [FILE]: string | undefined } = { [FILE]: 'one' }
  const { poll, states } = watch(contents)
  await poll()
  contents[FILE] = undefined
  await vi.advanceTimersByTimeAsync(200)
  const failed = { since: performance.now(), lastSubject: 'system:serviceaccount:shop:orders' }
  expect(states.get(FILE)).toMatchObject(failed)
  await vi.advanceTimersByTimeAsync(10_000)
  expect(states.get(FILE)).toMatchObject(failed)
})

test('polls the other files while a read of one file hangs, and starts no second read of that one', async () => {
  const stuck = Promise.withResolvers<string>()
  const contents = { '/stuck': stuck.promise, [FILE]: 'one' }
  const { poll, reads, reported } = watch(contents)
  void poll()
  await vi.advanceTimersByTimeAsync(1000)
  contents[FILE] = 'two'
  await vi.advanceTimersByTimeAsync(2000)
  expect(reported).toEqual(['one', 'two'])
  expect(reads.filter((file) => file !== FILE)).toHaveLength(1)
  stuck.resolve('at last')
  await vi.advanceTimersByTimeAsync(2000)
  expect(reported).toEqual(['one', 'two', '/stuck: at last'])
  expect(reads.filter((file) => file !== FILE).length).toBeGreaterThan(1)
})

test('stops polling when it is closed, and reports no state that arrives later', async () => {
  const late = Promise.withResolvers<string>()
  const { poll, close, reads, reported } = watch({ [FILE]: late.promise })
  const polled = poll()
  close()
  late.resolve('one')
  await polled
  await vi.advanceTimersByTimeAsync(60_000)
  expect(reads).toEqual([FILE])
  expect(reported).toEqual([])
})
