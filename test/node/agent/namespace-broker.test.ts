/** The broker of a namespace, with programs of this test. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { expect, onTestFinished, test, vi } from 'vitest'
import { BrokerProcess } from '../../../src/node/agent/broker-process.ts'
import { NamespaceBroker } from '../../../src/node/agent/namespace-broker.ts'
import { NodePod } from '../../../src/node/agent/node-pod.ts'
import { type ListeningSocket, openSocket } from '../../../src/node/agent/open-socket.ts'
import type { FileResult } from '../../../src/node/agent/pod-files.ts'
import type { RoutedPod } from '../../../src/node/agent/routed-pod.ts'
import type { TokenKey } from '../../../src/node/broker/messages.ts'
import type { Semaphore } from '../../../src/lib/semaphore.ts'
import { errorMessage } from '../../../src/lib/describe-error.ts'
import { waitFor } from '../../fixtures/connection.ts'
import { freePort } from '../../support/free-port.ts'
import { compiledHelper } from './helper.ts'
import { routedPod } from './pods.ts'
import { CHANNELS, NO_CONNECTION, startScript } from './program.ts'

compiledHelper()

/** Serves each pod on its socket, and ends at the first request. */
const PROGRAM = `
  onMessage((message) => {
    if (message.type !== 'serve') return
    const { uid } = message.pod
    const server = require('node:http').createServer(() => process.exit(7))
    server.listen(sockets.get(message.socket), () => send({ type: 'pod', uid, state: 'serving' }))
  })
  send({ type: 'ready' })
`

interface BrokerOptions {
  /** How many starts fail before one succeeds. */
  readonly failures?: number
  readonly limitStarts?: Semaphore
  readonly keysOf?: (uid: string) => TokenKey[] | undefined
  readonly readFile?: () => Promise<FileResult>
  readonly program?: string
  readonly script?: string
}

/** Starts a broker until the end of the test. */
function startBroker(options: BrokerOptions = {}) {
  const { program, script = PROGRAM, keysOf = () => undefined, ...parts } = options
  let { failures = 0 } = options
  const onServing = vi.fn<(pod: RoutedPod) => void>()
  const onRefused = vi.fn<(pod: RoutedPod, problem: string) => void>()
  const onEnd = vi.fn<(message: string) => void>()
  const write = vi.fn<(line: string) => void>()
  const onDroppedLine = vi.fn<() => void>()
  const pids: number[] = []
  const broker = new NamespaceBroker({
    createOpen: () => NO_CONNECTION,
    onDroppedLine,
    readFile: () => Promise.resolve({ code: 'ENOENT' }),
    limitStarts: (work) => work(),
    ...parts,
    start: () => {
      if (failures-- > 0) throw new Error('spawn ENOMEM')
      const child = startScript(CHANNELS + script, program)
      pids.push(child.pid ?? 0)
      return child
    },
    write,
    onEnd,
  })
  broker.name = 'of the namespace shop'
  const served: NodePod[] = []
  onTestFinished(() => {
    for (const pod of served) pod.close()
    return broker.stop()
  })
  const serve = (pod: RoutedPod, socket: ListeningSocket) => {
    const held = { namespace: 1, path: '', socket, env: pod.env }
    const made = new NodePod(pod, {
      route: async () => held,
      serve: (request, signal) => broker.serve(request, signal),
      keysOf,
      onRoute: () => {},
      onServing: (each) => onServing(each),
      onEnd: () => {},
      onFailure: (failed, error) => onRefused(failed, errorMessage(error)),
    })
    served.push(made)
    return made
  }
  const ready = () => vi.waitUntil(() => broker.isReady, { timeout: 60_000 })
  return { broker, ready, serve, onServing, onRefused, onEnd, pids, write, onDroppedLine }
}

/** Opens a socket in the network of this process. */
async function openPort() {
  const port = await freePort()
  const namespace = openSync('/proc/self/ns/net', 'r')
  const signal = AbortSignal.timeout(60_000)
  const path = process.env['PATH']
  const socket = await openSocket({
    namespace,
    port,
    listens: true,
    path,
    signal,
  })
  closeSync(namespace)
  return { socket, url: `http://127.0.0.1:${port}/` }
}

test('the pods of a broker wait when it ends, and have an event when it ends again', async () => {
  const { serve, onServing, onRefused } = startBroker()
  const { socket, url } = await openPort()
  const { pod } = serve(routedPod(), socket)
  for (const times of [1, 2]) {
    await vi.waitUntil(() => onServing.mock.calls.length === times, { timeout: 60_000 })
    expect(onRefused).not.toHaveBeenCalled()
    await expect(fetch(url)).rejects.toThrow('fetch failed')
  }
  await vi.waitUntil(() => onServing.mock.calls.length === 3, { timeout: 60_000 })
  expect(onRefused).toHaveBeenCalledWith(pod, expect.stringContaining('it has ended with 7'))
})

test('a broker that ends while a file is read for it, without an end, is replaced', async () => {
  const script = `
    onMessage(({ type, pod, id }) => {
      if (type !== 'serve') return
      send({ type: 'ask', id: 1, question: { about: 'file', uid: pod.uid, path: '/etc/file' } })
      send({ type: 'pod', uid: pod.uid, state: 'serving' })
    })
    send({ type: 'ready' })`
  const readFile = vi.fn<() => Promise<never>>(() => new Promise(() => {}))
  const { serve, onEnd, pids } = startBroker({ script, readFile })
  serve(routedPod(), (await openPort()).socket)
  await vi.waitUntil(() => readFile.mock.calls.length === 1, { timeout: 60_000 })
  process.kill(pids[0] ?? 0, 'SIGKILL')
  await vi.waitUntil(() => readFile.mock.calls.length === 2, { timeout: 60_000 })
  expect(onEnd).toHaveBeenCalledOnce()
})

test('a pod is served once, however often the broker says so, and again by the next broker', async () => {
  const script = `
    onMessage(({ type, pod, uid, id }) => {
      if (type === 'ask') send({ type: 'answer', id, answer: {} })
      if (type !== 'serve') return
      send({ type: 'pod', uid: 'b', state: 'serving' })
      for (let at = 0; at < 3; at += 1) send({ type: 'pod', uid: pod.uid, state: 'serving' })
      send({ type: 'pod', uid: pod.uid, state: 'failed', problem: 'BROKEN' })
    })
    send({ type: 'ready' })`
  const { broker, serve, onServing, onRefused, pids } = startBroker({ script })
  const { socket } = await openPort()
  serve(routedPod({ uid: 'a' }), socket)
  await vi.waitUntil(() => onServing.mock.calls.length === 1, { timeout: 60_000 })
  // The answer comes after all these messages.
  expect(await broker.ask({ about: 'keys' })).toEqual({})
  expect(onServing).toHaveBeenCalledTimes(1)
  expect(onRefused).not.toHaveBeenCalled()
  process.kill(pids[0] ?? 0, 'SIGKILL')
  await vi.waitUntil(() => onServing.mock.calls.length === 2, { timeout: 60_000 })
})

test.each([
  ['1000 lists', `'[],'.repeat(999) + '[]'`, undefined],
  ['300 000 lists', `'[],'.repeat(300_000) + '[]'`, 'it sent a message of too many values'],
  ['a text of three million characters', `JSON.stringify('x'.repeat(3e6))`, 'it sent a line of'],
])(
  'of answers, %s is taken as far as it can be parsed in little memory',
  async (_, text, misuse) => {
    const script = `
    onMessage(({ type, id }) => {
      if (type === 'ask') channel.write('{"type":"answer","id":' + id + ',"answer":[' + ${text} + ']}\\n')
    })
    send({ type: 'ready' })`
    const { broker, ready, onEnd } = startBroker({ script })
    await ready()
    const answer = await broker.ask({ about: 'metrics' })
    expect(Array.isArray(answer) && answer.length).toBe(misuse === undefined && 1000)
    if (misuse === undefined) return
    await vi.waitUntil(() => onEnd.mock.calls.length > 0, { timeout: 60_000 })
    expect(onEnd.mock.calls[0]?.[0]).toContain(misuse)
  },
)

test('a broker that has answered no ping for a minute is ended', async () => {
  const script = `
    let answers = true
    onMessage(({ type, id }) => {
      if (type === 'listen') answers = false
      if (type === 'ask' && answers) send({ type: 'answer', id, answer: {} })
    })
    send({ type: 'ready' })`
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  onTestFinished(() => void vi.useRealTimers())
  const { broker, ready, onEnd } = startBroker({ script })
  await ready()
  for (let pings = 0; pings < 20; pings += 1) {
    vi.advanceTimersByTime(10_000)
    // Once a ping is answered, too, since answers come in order.
    await expect.poll(() => broker.ask({ about: 'keys' }), { timeout: 60_000 }).toEqual({})
  }
  broker.listen()
  vi.advanceTimersByTime(70_000)
  expect(await waitFor(() => onEnd.mock.calls[0])).toEqual([
    expect.stringContaining('it did not answer'),
  ])
})

test('a broker that is silent has no answer after a second, and is killed if it does not end in time', async () => {
  const script = `process.on('SIGTERM', () => {}); onMessage(() => {}); send({ type: 'ready' })`
  const { broker, ready, onEnd } = startBroker({ script })
  await ready()
  expect(await broker.ask({ about: 'metrics' })).toBeUndefined()
  await broker.stop(100)
  expect(onEnd).not.toHaveBeenCalled()
})

test.each([
  [`send({ type: 'invalid', problem: 'WIMDS_CA_FILE: cannot read it' }, () => process.exit(64))`],
  [`process.stderr.write('wimds-node: WIMDS_CA_FILE: cannot read it\\n', () => process.exit(1))`],
])('what a broker or its helper says is the reason why it does not run: %s', async (script) => {
  const { onEnd } = startBroker({ script })
  await vi.waitUntil(() => onEnd.mock.calls.length > 0, { timeout: 60_000 })
  expect(onEnd.mock.calls[0]?.[0]).toMatch(/does not run: (wimds-node: )?WIMDS_CA_FILE: cannot/)
})

test('what a broker prints is logged as lines of that broker, whatever it claims', async () => {
  const lines = [
    '{"level":"info","event":"pod_routed","namespace":"bank","broker":"of the namespace bank"}',
    'no JSON, \u202e reversed',
    '[1]',
  ]
  const script = `process.stdout.write(${JSON.stringify(`${lines.join('\n')}\n`)}); process.stderr.write('last\\n', () => process.exit())`
  const { write, onEnd } = startBroker({ script })
  await vi.waitUntil(() => onEnd.mock.calls.length > 0, { timeout: 60_000 })
  const written = write.mock.calls.slice(0, 4).flat()
  expect(written.join('')).toContain('\\u202e')
  const broker = 'of the namespace shop'
  const [time, level, event] = [expect.any(String), 'warn', 'broker_output']
  expect(written.map((line): unknown => JSON.parse(line))).toEqual(
    expect.arrayContaining([
      { level: 'info', time, event: 'pod_routed', namespace: 'bank', broker },
      { level, time, event, message: lines[1], broker },
      { level, time, event, message: lines[2], broker },
      { level, time, event, message: 'last', broker },
    ]),
  )
})

test('of many lines of a broker those are written that its own limit allows, and the others are counted', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const script = `
    onMessage(() => console.log('{"event":"last"}'))
    for (let at = 0; at < 3000; at += 1) console.log('{"event":"flood"}')
    send({ type: 'ready' })`
  const { broker, write, onDroppedLine } = startBroker({ script })
  const countLines = () => write.mock.calls.length + onDroppedLine.mock.calls.length
  await waitFor(() => (countLines() === 3000 && broker.isReady) || undefined)
  expect(write.mock.calls.length).toBeLessThan(1000)
  vi.advanceTimersByTime(1000)
  void broker.ask({ about: 'keys' })
  await waitFor(() => countLines() === 3001 || undefined)
  expect(write.mock.lastCall?.[0]).toContain('"last"')
})

test('a problem of any length is cut, since it goes into the log and an event of the pod', async () => {
  const script = `
    onMessage(({ type, pod }) => {
      if (type === 'serve') send({ type: 'pod', uid: pod.uid, state: 'failed', problem: 'wrong '.repeat(40_000) })
    })
    send({ type: 'ready' })`
  const { socket } = await openPort()
  const { serve, onRefused } = startBroker({ script })
  serve(routedPod(), socket)
  await vi.waitUntil(() => onRefused.mock.calls.length === 1, { timeout: 60_000 })
  expect(onRefused.mock.calls[0]?.[1]).toMatch(/^wrong.{1,2000}$/)
})

test('the next broker gets the keys of a pod that no broker has served, and no keys of one that was', async () => {
  const script = `
    onMessage(({ type, pod, keys }) => {
      if (type === 'serve') console.log(JSON.stringify({ event: 'keys', uid: pod.uid, keys }))
      if (pod?.uid === 'a') send({ type: 'pod', uid: 'a', state: 'serving' })
      if (pod?.uid === 'b') process.exit()
    })
    send({ type: 'ready' })`
  const key: TokenKey = ['11111111-1111-4111-8111-111111111111', 'https://vault.azure.net/.default']
  const { serve, write } = startBroker({ script, keysOf: () => [key] })
  const [first, second] = [await openPort(), await openPort()]
  serve(routedPod({ uid: 'a' }), first.socket)
  serve(routedPod({ uid: 'b' }), second.socket)
  await vi.waitUntil(() => write.mock.calls.length === 4, { timeout: 60_000 })
  const lines = write.mock.calls.map(([line]): unknown => JSON.parse(line))
  expect(lines).toMatchObject([
    { uid: 'a', keys: [key] },
    { uid: 'b', keys: [key] },
    { uid: 'a', keys: [] },
    { uid: 'b', keys: [key] },
  ])
})

test('a pod has an event when its broker does not start, and is served when it does', async () => {
  const { serve, onServing, onRefused } = startBroker({ failures: 3 })
  const { socket } = await openPort()
  serve(routedPod(), socket)
  await vi.waitUntil(() => onServing.mock.calls.length === 1, { timeout: 60_000 })
  expect(onRefused).toHaveBeenCalled()
  for (const [, problem] of onRefused.mock.calls) expect(problem).toContain('spawn ENOMEM')
})

test('the time of a broker in the start queue does not count as running time', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const startedAt = Date.now()
  const { ready } = startBroker({
    failures: 3,
    limitStarts: (work) => {
      vi.advanceTimersByTime(100_000)
      return work()
    },
  })
  await ready()
  // After the second failure it waits for half a second, and after the third for a second, at least.
  expect(Date.now() - startedAt).toBeGreaterThan(1400)
})

test('a pod that cannot be sent holds up no other one', async () => {
  const { serve, onServing, onRefused } = startBroker()
  const [{ socket: closed }, { socket }] = [await openPort(), await openPort()]
  closed.close()
  serve(routedPod({ uid: 'a' }), closed)
  serve(routedPod({ uid: 'b' }), socket)
  await vi.waitUntil(() => onServing.mock.calls.length === 1, { timeout: 60_000 })
  expect(onServing.mock.calls[0]?.[0].uid).toBe('b')
  expect(onRefused).not.toHaveBeenCalled()
})

test('a process without a channel is ended, and none is left', async () => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  const openConnection = NO_CONNECTION
  const options = { readFile: async () => ({ code: 'ENOENT' }), openConnection, onLine: () => {} }
  expect(() => new BrokerProcess(child, options)).toThrow('the broker has no channel')
  expect((await ended)[1]).toBe('SIGKILL')
})
