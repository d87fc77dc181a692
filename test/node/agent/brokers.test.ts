/** The brokers of a node, with a program of this test in their place. */
import { createServer } from 'node:net'
import { once } from 'node:events'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Brokers } from '../../../src/node/agent/brokers.ts'
import { routedPod } from './pods.ts'
import { CHANNELS, NO_CONNECTION, startScript } from './program.ts'

/** A broker that lasts longer has been idle for too long; later, its pings would have no answer. */
const IDLE_MS = 66_001

function useFakeTime(): void {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
}

/** Says again and again that it is ready. */
const PROGRAM = `${CHANNELS}
  onMessage(({ type, pod }) => type === 'serve' && send({ type: 'pod', uid: pod.uid, state: 'serving' }))
  setInterval(() => send({ type: 'ready' }), 50)`

/** Creates the brokers of a node, until the end of the test. */
function setUp({ maxBrokers = 2, script = PROGRAM } = {}) {
  const start = vi.fn<() => ReturnType<typeof startScript>>(() => startScript(script))
  const brokers = new Brokers({
    maxBrokers,
    start,
    readFile: () => Promise.resolve({ code: 'ENOENT' }),
    createOpen: () => NO_CONNECTION,
    onDroppedLine: () => {},
    write: () => {},
    onEnd: () => {},
  })
  onTestFinished(() => brokers.stop())
  /** Resolves when a pod of the namespace is served, with the function that ends it. Throws why it is not. */
  async function serve(namespace: string) {
    const pod = { ...routedPod({ uid: namespace }), namespace }
    const socket = createServer()
    await once(socket.listen(0, '127.0.0.1'), 'listening')
    const route = { namespace: 1, path: '', socket, env: {} }
    const ended = new AbortController()
    const answered = Promise.withResolvers<unknown>()
    const request = { pod, route, findKeys: () => [], onAnswer: answered.resolve }
    const serving = brokers.serve(request, ended.signal)
    onTestFinished(() => void socket.close())
    await Promise.race([answered.promise, serving])
    return () => {
      ended.abort()
      return serving
    }
  }
  return { brokers, serve, start }
}

test('a pod of one namespace too many is refused, until a broker has ended that has had no pod for a while', async () => {
  useFakeTime()
  const { brokers, serve } = setUp({ maxBrokers: 1 })
  const end = await serve('a')
  await expect(serve('b')).rejects.toMatchObject({ reason: 'too_many_brokers' })
  await end()
  expect(brokers.all()).toHaveLength(1)
  vi.advanceTimersByTime(IDLE_MS)
  expect(brokers.all()).toHaveLength(0)
  await serve('b')
})

test('a broker that starts for longer than one may be idle is not ended', async () => {
  useFakeTime()
  const { serve, start } = setUp()
  start.mockImplementationOnce(() => {
    queueMicrotask(() => vi.advanceTimersByTime(IDLE_MS))
    return startScript(PROGRAM)
  })
  await serve('a')
  expect(start).toHaveBeenCalledOnce()
})

test('a pod fails whose broker ends before it was started, or does not start', async () => {
  const { brokers, serve } = setUp({ maxBrokers: 5, script: 'process.on("message", () => {})' })
  const results = Promise.allSettled(['a', 'b', 'c', 'd', 'e'].map(serve))
  await vi.waitUntil(() => brokers.all().length === 5, { timeout: 60_000 })
  await brokers.stop()
  expect((await results).map(({ status }) => status)).toEqual(Array(5).fill('rejected'))
  const other = setUp({ script: 'process.exit(3)' })
  await expect(other.serve('a')).rejects.toMatchObject({
    reason: 'broker_failed',
    message: 'the broker of the namespace a does not run: it has ended with 3. It is started again',
  })
})
