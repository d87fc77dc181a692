import { afterEach, beforeEach, expect, test, vi } from 'vitest'
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

function createWatcher(first: string, pollMs?: number) {
  let content = first
  let polls = 0
  const reported: string[] = []
  const watch = watchAssertions({
    files: () => [FILE],
    read: () => {
      polls += 1
      return content.startsWith('assertion_')
        ? Promise.reject(new BrokerError('assertion_missing', content))
        : Promise.resolve(anAssertion(content))
    },
    clock: systemClock,
    pollMs,
    onChange: (_file, state) =>
      reported.push(state.ok ? state.assertion.secret.reveal() : state.error.code),
  })
  return { watch, reported, polls: () => polls, becomes: (next: string) => (content = next) }
}

test('reports the first state and each change once', async () => {
  const { watch, reported, becomes } = createWatcher('one')
  await watch.poll()
  await vi.advanceTimersByTimeAsync(10_000)
  becomes('two')
  await vi.advanceTimersByTimeAsync(2000)
  becomes('assertion_missing')
  await vi.advanceTimersByTimeAsync(10_000)
  becomes('two')
  await vi.advanceTimersByTimeAsync(200)
  expect(reported).toEqual(['one', 'two', 'assertion_missing', 'two'])
  watch.close()
})

test('unreadable files are polled as often as the caller says', async () => {
  const { watch, polls } = createWatcher('assertion_missing', 9000)
  await watch.poll()
  await vi.advanceTimersByTimeAsync(2700)
  expect(polls()).toBe(4)
  watch.close()
})

test('a failure keeps the time of the first failed read, and the subject of the last token', async () => {
  const { watch, becomes } = createWatcher('one')
  await watch.poll()
  becomes('assertion_missing')
  await vi.advanceTimersByTimeAsync(200)
  const { since, lastSubject } = { since: 0, lastSubject: '', ...watch.states.get(FILE) }
  expect(since).toBe(performance.now())
  expect(lastSubject).toBe('system:serviceaccount:shop:orders')
  await vi.advanceTimersByTimeAsync(10_000)
  expect(watch.states.get(FILE)).toMatchObject({ since, lastSubject })
  watch.close()
})

test('polls five times a second until the token is there', async () => {
  const { watch, reported, becomes } = createWatcher('assertion_missing')
  await watch.poll()
  await vi.advanceTimersByTimeAsync(1000)
  becomes('one')
  await vi.advanceTimersByTimeAsync(200)
  expect(reported).toEqual(['assertion_missing', 'one'])
  expect(watch.states.get(FILE)?.ok).toBe(true)
  watch.close()
})

test('polls five times a second while one of several files is missing', async () => {
  let isThere = false
  const reported: string[] = []
  const watch = watchAssertions({
    files: () => ['/later', FILE],
    read: (file) =>
      isThere || file === FILE
        ? Promise.resolve(anAssertion(file))
        : Promise.reject(new BrokerError('assertion_missing', file)),
    clock: systemClock,
    onChange: (file, { ok }) => reported.push(`${file}: ${ok}`),
  })
  await watch.poll()
  await vi.advanceTimersByTimeAsync(1000)
  isThere = true
  await vi.advanceTimersByTimeAsync(200)
  expect(reported.toSorted()).toEqual(['/later: false', '/later: true', `${FILE}: true`])
  watch.close()
})

test('stops polling when it is closed', async () => {
  const { watch, polls } = createWatcher('one')
  await watch.poll()
  watch.close()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(polls()).toBe(1)
})

test('goes on with the other files while one does not answer, which is reads once', async () => {
  let content = 'one'
  let reads = 0
  const reported: string[] = []
  const stuck = Promise.withResolvers<Assertion>()
  const watch = watchAssertions({
    files: () => ['/stuck', FILE],
    read: (file) => {
      if (file === FILE) return Promise.resolve(anAssertion(content))
      reads += 1
      return stuck.promise
    },
    clock: systemClock,
    onChange: (_file, state) => reported.push(state.ok ? state.assertion.secret.reveal() : ''),
  })
  void watch.poll()
  await vi.advanceTimersByTimeAsync(1000)
  content = 'two'
  await vi.advanceTimersByTimeAsync(2000)
  expect(reported).toEqual(['one', 'two'])
  expect(reads).toBe(1)
  stuck.resolve(anAssertion('at last'))
  await vi.advanceTimersByTimeAsync(2000)
  expect(reported).toEqual(['one', 'two', 'at last'])
  expect(reads).toBeGreaterThan(1)
  watch.close()
})

test('reports no state that arrives after it was closed', async () => {
  const late = Promise.withResolvers<Assertion>()
  const reported: string[] = []
  const watch = watchAssertions({
    files: () => [FILE],
    read: () => late.promise,
    clock: systemClock,
    onChange: (file) => reported.push(file),
  })
  const polled = watch.poll()
  watch.close()
  late.resolve(anAssertion('one'))
  await polled
  expect(reported).toEqual([])
})
