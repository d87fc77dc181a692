/** The brokers of a node, with a program of this test in their place. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { Brokers } from '../../../src/node/agent/brokers.ts'
import { routedPod } from './pods.ts'
import { CHANNELS, NO_CONNECTION, startScript } from './program.ts'

const PROGRAM = `${CHANNELS} onMessage(() => {}); send({ type: 'ready' })`

interface NodeOptions {
  readonly maxBrokers?: number
  readonly idleMs?: number
  readonly script?: string
}

/** Creates the brokers of a node, until the end of the test. */
function setUp({ maxBrokers = 2, script = PROGRAM, ...more }: NodeOptions = {}) {
  let starts = 0
  const brokers = new Brokers({
    ...more,
    maxBrokers,
    start: () => {
      starts += 1
      return startScript(script)
    },
    readFile: () => Promise.resolve({ code: 'ENOENT' }),
    createOpen: () => NO_CONNECTION,
    onDroppedLine: () => {},
    write: () => {},
    onEnd: () => {},
  })
  onTestFinished(() => brokers.stop())
  return { brokers, starts: () => starts }
}

const podOf = (namespace: string) => ({ ...routedPod({ uid: namespace }), namespace })

test('the first namespace gets the spare broker, and each further one a process of its own', async () => {
  const { brokers, starts } = setUp()
  brokers.start()
  await brokers.prepare(podOf('a'))
  expect(starts()).toBe(1)
  await brokers.prepare(podOf('a'))
  await brokers.prepare(podOf('b'))
  expect(starts()).toBe(2)
  expect(new Set(brokers.all().map(({ pid }) => pid)).size).toBe(2)
})

test('a pod of one namespace too many is refused, until a broker has ended that has no pods', async () => {
  const { brokers } = setUp({ maxBrokers: 1, idleMs: 300 })
  await brokers.prepare(podOf('a'))
  await expect(brokers.prepare(podOf('b'))).rejects.toMatchObject({
    reason: 'too_many_brokers',
    message: expect.stringContaining('Fix: raise nodeAgent.maxBrokers'),
  })
  await vi.waitUntil(() => brokers.all().length === 0, { timeout: 60_000 })
  await brokers.prepare(podOf('b'))
})

test('a broker that starts for longer than one may be idle is not ended', async () => {
  const script = `setTimeout(() => { ${PROGRAM} }, 500)`
  const { brokers } = setUp({ maxBrokers: 1, idleMs: 100, script })
  await expect(brokers.prepare(podOf('a'))).resolves.toBeUndefined()
  await vi.waitUntil(() => brokers.all().length === 0, { timeout: 60_000 })
})

test('a broker without pods that says again and again that it is ready is ended', async () => {
  const script = `${PROGRAM}; setInterval(() => send({ type: 'ready' }), 10)`
  const { brokers, starts } = setUp({ maxBrokers: 1, idleMs: 300, script })
  await brokers.prepare(podOf('a'))
  await vi.waitUntil(() => brokers.all().length === 0, { timeout: 10_000 })
  expect(starts()).toBe(1)
})

test('of several idle brokers the one that has been idle for the longest time makes room for another namespace', async () => {
  const { brokers, starts } = setUp({ maxBrokers: 2 })
  await brokers.prepare(podOf('a'))
  await brokers.prepare(podOf('b'))
  vi.useFakeTimers({ toFake: ['performance'], now: performance.now() })
  onTestFinished(() => void vi.useRealTimers())
  vi.advanceTimersByTime(20_000)
  await brokers.prepare(podOf('a'))
  vi.advanceTimersByTime(20_000)
  await brokers.prepare(podOf('c'))
  await brokers.prepare(podOf('a'))
  expect(starts()).toBe(3)
})

test('a broker that is still starting for its pod makes no room for another namespace', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const { brokers } = setUp({ maxBrokers: 5, script: 'process.on("message", () => {})' })
  const waiting = ['a', 'b', 'c', 'd', 'e'].map((each) => brokers.prepare(podOf(each)))
  for (const each of waiting) each.catch(() => {})
  vi.advanceTimersByTime(20_000)
  await expect(brokers.prepare(podOf('f'))).rejects.toMatchObject({ reason: 'too_many_brokers' })
})

test('a pod fails whose broker ends before it was started', async () => {
  const { brokers } = setUp({ maxBrokers: 5, script: 'process.on("message", () => {})' })
  const waiting = ['a', 'b', 'c', 'd', 'e'].map((each) => brokers.prepare(podOf(each)))
  const results = Promise.allSettled(waiting)
  await brokers.stop()
  expect((await results).map(({ status }) => status)).toEqual(Array(5).fill('rejected'))
})

test('a pod whose broker does not start fails with the reason', async () => {
  const { brokers } = setUp({ script: 'process.exit(3)' })
  await expect(brokers.prepare(podOf('a'))).rejects.toMatchObject({
    reason: 'broker_failed',
    message: 'the broker of the namespace a does not run: it has ended with 3. It is started again',
  })
})
