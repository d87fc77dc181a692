/** An agent tells its successor the keys of its tokens, over a socket in the state directory. */
import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { createConnection } from 'node:net'
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { Succession } from '../../../src/node/agent/succession.ts'
import type { Question } from '../../../src/node/broker/messages.ts'
import { createFolder } from '../../fixtures/folder.ts'
import { routedPod } from './pods.ts'

let folder: ReturnType<typeof createFolder>
beforeEach(() => {
  folder = createFolder()
})
afterEach(() => folder[Symbol.dispose]())

const KEY = ['11111111-1111-4111-8111-111111111111', 'https://vault.azure.net/.default']

/** Creates an agent with one broker, which serves the pod `own` and answers like this. */
function createAgent(answer: unknown = []) {
  const onRelease = vi.fn<() => void>()
  const onError = vi.fn<(error: unknown) => void>()
  const questions: Question[] = []
  const broker = {
    pods: [routedPod({ uid: 'own' })],
    ask: (question: Question) => {
      questions.push(question)
      return Promise.resolve(answer)
    },
  }
  const brokers = { all: () => [broker], listen: onRelease }
  const succession = new Succession({ stateDirectory: folder.path, brokers, onError })
  let errors = 0
  onTestFinished(() => {
    succession.close()
    expect(onError).toHaveBeenCalledTimes(errors)
  })
  return {
    succession,
    start: () => succession.start(),
    onRelease,
    onError,
    questions,
    expectErrors: (count: number) => (errors = count),
  }
}

test('a successor gets the keys of the pods until its predecessor ends, and follows it', async () => {
  const first = createAgent([{ uids: ['own', 'foreign'], keys: [KEY] }])
  await first.start()
  const { succession, start, onRelease } = createAgent()
  await start()
  expect(first.questions).toEqual([{ about: 'keys' }])
  expect(succession.keysOf('own')).toEqual([KEY])
  // A broker speaks for its own pods.
  expect(succession.keysOf('foreign')).toBeUndefined()
  expect(first.succession.close()).toBe(true)
  await vi.waitUntil(() => onRelease.mock.calls.length > 0, { timeout: 60_000 })
  expect([succession.isWaiting, succession.keysOf('own')]).toEqual([false, undefined])
  await vi.waitFor(
    async () => {
      const next = createAgent()
      await next.start()
      expect(next.succession.isWaiting).toBe(true)
    },
    { timeout: 60_000 },
  )
})

test('the end of one of two successors does not remove the socket of the other', async () => {
  const first = createAgent()
  await first.start()
  const [second, third] = [createAgent(), createAgent()]
  for (const { start } of [second, third]) await start()
  first.succession.close()
  await vi.waitUntil(
    () => [second, third].every(({ onRelease }) => onRelease.mock.calls.length > 0),
    { timeout: 60_000 },
  )
  // The socket is of the one that listened last.
  const [earlier] = [second, third].toSorted(
    (a, b) =>
      (a.onRelease.mock.invocationCallOrder[0] ?? 0) -
      (b.onRelease.mock.invocationCallOrder[0] ?? 0),
  )
  earlier?.succession.close()
  const successor = createConnection(folder.file('agent.sock'))
  await expect(once(successor, 'connect')).resolves.toEqual([])
  successor.destroy()
})

test('a successor that comes while the routes are ended gets its answer after that', async () => {
  const first = createAgent()
  await first.start()
  const order: string[] = []
  const routes = Promise.withResolvers<void>()
  const ended = first.succession.answerAfter(() => routes.promise)
  const next = createAgent()
  const started = next.start().then(() => order.push('started'))
  await vi.waitUntil(() => first.questions.length > 0, { timeout: 60_000 })
  for (let turn = 0; turn < 10; turn += 1) await setImmediate()
  order.push('ended')
  routes.resolve()
  await Promise.all([ended, started])
  expect(order).toEqual(['ended', 'started'])
  expect([first.succession.hasOther, next.succession.isWaiting]).toEqual([true, true])
})

test('no other user can connect to an agent, whatever its umask', async () => {
  const umask = process.umask(0)
  onTestFinished(() => void process.umask(umask))
  const { start } = createAgent()
  await start()
  expect(statSync(folder.file('agent.sock')).mode & 0o777).toBe(0o600)
  expect(readdirSync(folder.path)).toEqual(['agent.sock'])
})

test('an agent that cannot listen for a successor reports it, and serves', async () => {
  mkdirSync(folder.file('agent.sock'))
  const { succession, start, onError, expectErrors } = createAgent()
  expectErrors(1)
  await start()
  await vi.waitUntil(() => onError.mock.calls.length > 0, { timeout: 60_000 })
  expect(String(onError.mock.calls[0]?.[0])).toContain('agent.sock')
  expect(succession.isWaiting).toBe(false)
  succession.close()
  expect(readdirSync(folder.path)).toEqual(['agent.sock'])
})

test('an answer of a broker with a scope that no message names has no keys', async () => {
  const first = createAgent([{ uids: ['own'], keys: [[KEY[0], 'x'.repeat(257)]] }])
  await first.start()
  const { succession, start } = createAgent()
  await start()
  expect([succession.isWaiting, succession.keysOf('own')]).toEqual([true, undefined])
})

test('a successor waits for five minutes at most', async () => {
  const first = createAgent([{ uids: ['own'], keys: [KEY] }])
  await first.start()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const { succession, start, onRelease } = createAgent()
  await start()
  vi.advanceTimersByTime(5 * 60_000 - 1)
  expect(succession.isWaiting).toBe(true)
  vi.advanceTimersByTime(1)
  expect(succession.isWaiting).toBe(false)
  expect(onRelease).toHaveBeenCalledOnce()
  // It lives on.
  expect(first.succession.close()).toBe(true)
})
