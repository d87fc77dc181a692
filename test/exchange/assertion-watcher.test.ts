import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { BrokerError } from '../../src/errors.ts'
import type { Assertion } from '../../src/exchange/assertion.ts'
import { watchAssertions } from '../../src/exchange/assertion-watcher.ts'
import { Secret } from '../../src/secret.ts'

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

function setUp(first: string) {
  let content = first
  let looks = 0
  const told: string[] = []
  const watch = watchAssertions({
    files: () => [FILE],
    read: () => {
      looks += 1
      return content.startsWith('assertion_')
        ? Promise.reject(new BrokerError('assertion_missing', content))
        : Promise.resolve(anAssertion(content))
    },
    onChange: (_file, state) =>
      told.push(state.ok ? state.assertion.secret.reveal() : state.error.code),
  })
  return { watch, told, looks: () => looks, becomes: (next: string) => (content = next) }
}

test('tells of the first sight and of each change, once', async () => {
  const { watch, told, becomes } = setUp('one')
  await watch.look()
  await vi.advanceTimersByTimeAsync(10_000)
  becomes('two')
  await vi.advanceTimersByTimeAsync(2000)
  becomes('assertion_missing')
  await vi.advanceTimersByTimeAsync(10_000)
  becomes('two')
  await vi.advanceTimersByTimeAsync(200)
  expect(told).toEqual(['one', 'two', 'assertion_missing', 'two'])
  watch.close()
})

test('looks five times a second until the token is there', async () => {
  const { watch, told, becomes } = setUp('assertion_missing')
  await watch.look()
  await vi.advanceTimersByTimeAsync(1000)
  becomes('one')
  await vi.advanceTimersByTimeAsync(200)
  expect(told).toEqual(['assertion_missing', 'one'])
  expect(watch.states.get(FILE)?.ok).toBe(true)
  watch.close()
})

test('does not look any more once it is closed', async () => {
  const { watch, looks } = setUp('one')
  await watch.look()
  watch.close()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(looks()).toBe(1)
})

test('goes on with the other files while one does not answer, which is asked once', async () => {
  let content = 'one'
  let asked = 0
  const told: string[] = []
  const stuck = Promise.withResolvers<Assertion>()
  const watch = watchAssertions({
    files: () => ['/stuck', FILE],
    read: (file) => {
      if (file === FILE) return Promise.resolve(anAssertion(content))
      asked += 1
      return stuck.promise
    },
    onChange: (_file, state) => told.push(state.ok ? state.assertion.secret.reveal() : ''),
  })
  void watch.look()
  await vi.advanceTimersByTimeAsync(1000)
  content = 'two'
  await vi.advanceTimersByTimeAsync(2000)
  expect(told).toEqual(['one', 'two'])
  expect(asked).toBe(1)
  stuck.resolve(anAssertion('at last'))
  await vi.advanceTimersByTimeAsync(2000)
  expect(told).toEqual(['one', 'two', 'at last'])
  expect(asked).toBeGreaterThan(1)
  watch.close()
})

test('tells of nothing that it learns after it was closed', async () => {
  const late = Promise.withResolvers<Assertion>()
  const told: string[] = []
  const watch = watchAssertions({
    files: () => [FILE],
    read: () => late.promise,
    onChange: (file) => told.push(file),
  })
  const looked = watch.look()
  watch.close()
  late.resolve(anAssertion('one'))
  await looked
  expect(told).toEqual([])
})
