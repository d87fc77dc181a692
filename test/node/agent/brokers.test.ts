/** The brokers of a node, with a program of this test in their place. */
import { spawn } from 'node:child_process'
import { expect, onTestFinished, test, vi } from 'vitest'
import { CHANNEL_ENV } from '../../../src/node/agent/broker-channel.ts'
import { BrokerUids } from '../../../src/node/agent/broker-uids.ts'
import { Brokers, createBrokerNames } from '../../../src/node/agent/brokers.ts'
import { createFolder } from '../../fixtures/folder.ts'
import { routedPod } from './pods.ts'

const PROGRAM = `
  process.on('message', () => {})
  process.on('disconnect', () => process.exit())
  process.send({ type: 'ready' })
`

interface NodeOptions {
  readonly brokers?: 'namespace' | 'node'
  readonly maxBrokers?: number
  readonly idleMs?: number
  readonly script?: string
  /** How many uids there are. */
  readonly size?: number
}

/** Creates the brokers of a node, until the end of the test. */
function setUp({
  brokers: kind = 'namespace',
  maxBrokers = 2,
  script = PROGRAM,
  size = 1000,
  ...more
}: NodeOptions = {}) {
  const folder = createFolder()
  const uids: number[] = []
  const nameBroker = createBrokerNames(kind)
  const brokers = new Brokers({
    ...more,
    uids: new BrokerUids({
      range: { first: 7000, last: 6999 + size },
      stateDirectory: folder.file('state'),
      isUsed: () => false,
    }),
    nameBroker,
    maxBrokers,
    helper: '/nonexistent',
    start: (uid) => {
      uids.push(uid)
      return spawn(process.execPath, ['-e', script], {
        env: { ...process.env, ...CHANNEL_ENV },
        stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
      })
    },
    readFile: () => Promise.resolve({ code: 'ENOENT' }),
    beforeStart: async () => {},
    onReady: () => {},
    onServing: () => {},
    onRefused: () => {},
    onEnd: () => {},
  })
  onTestFinished(async () => {
    await brokers.stop()
    folder[Symbol.dispose]()
  })
  return { brokers, uids }
}

const podOf = (namespace: string) => ({ ...routedPod({ uid: namespace }), namespace })

test('the first namespace gets the spare broker, and each further one a process with its own uid', async () => {
  const { brokers, uids } = setUp()
  brokers.start()
  await brokers.prepare(podOf('a'))
  expect(uids).toEqual([7000])
  await brokers.prepare(podOf('a'))
  await brokers.prepare(podOf('b'))
  expect(uids).toEqual([7000, 7001])
  expect(new Set(brokers.all().map(({ pid }) => pid)).size).toBe(2)
})

test('no broker gets the uid of another one that runs, though it has no pods yet', async () => {
  const { brokers, uids } = setUp({ size: 2, maxBrokers: 3 })
  brokers.start()
  await brokers.prepare(podOf('a'))
  await brokers.prepare(podOf('b'))
  await expect(brokers.prepare(podOf('c'))).rejects.toThrow('all uids from 7000 to 7001 are in use')
  expect(uids).toEqual([7000, 7001])
})

test('all namespaces have one broker if the node is to have one', async () => {
  const { brokers, uids } = setUp({ brokers: 'node', maxBrokers: 1 })
  brokers.start()
  for (const namespace of ['a', 'b', 'c']) await brokers.prepare(podOf(namespace))
  expect(uids).toEqual([7000])
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
