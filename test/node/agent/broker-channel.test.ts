/** The channel to a broker that is hostile: a program of this test sends what no broker sends. */
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { BrokerChannel } from '../../../src/node/agent/broker-channel.ts'
import { errorMessage } from '../../../src/lib/describe-error.ts'
import type { BrokerMessage } from '../../../src/node/broker/messages.ts'
import { CHANNELS, startScript } from './program.ts'

/** Starts a program with a channel until the end of the test. */
function startProgram(script: string) {
  const child = startScript(CHANNELS + script)
  child.stderr?.pipe(process.stderr)
  onTestFinished(() => void child.kill('SIGKILL'))
  return new BrokerChannel(child)
}

/** Reads all messages. Returns why the reading ended, and by how many bytes this process grew at most meanwhile. */
async function readAll(script: string, onMessage: (message: BrokerMessage) => unknown = () => {}) {
  const before = process.memoryUsage().rss
  let most = before
  const timer = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 10)
  const misuse = await startProgram(script).read(async (message) => {
    await onMessage(message)
  })
  clearInterval(timer)
  return { misuse, grownBytes: most - before }
}

const WRITE_ALL = `
  const { writeSync } = require('node:fs')
  function writeAll(bytes) {
    for (let at = 0; at < bytes.length; ) {
      try { at += writeSync(4, bytes, at) } catch (error) { if (error.code !== 'EAGAIN') process.exit() }
    }
  }
`
const MIB = 1024 * 1024

test('a gigabyte without an end of a line ends the reading, and does not fill the memory', async () => {
  const script = `${WRITE_ALL} for (let at = 0; at < 1024; at += 1) writeAll(Buffer.alloc(${MIB}, 'x'))`
  const { misuse, grownBytes } = await readAll(script)
  expect(misuse).toBe('it sent a line of more than 2097152 bytes')
  expect(grownBytes).toBeLessThan(64 * MIB)
})

test('of a flood of messages no more are read than 8192, and 400 in a second', async () => {
  const script = `${WRITE_ALL} const line = Buffer.from('{"type":"ready"}\\n'.repeat(64)); for (;;) writeAll(line)`
  const startedAt = performance.now()
  const before = process.memoryUsage().rss
  let read = 0
  void startProgram(script).read(() => (read += 1))
  await vi.waitUntil(() => read > 8000, { timeout: 60_000 })
  await sleep(1000)
  expect(read).toBeLessThanOrEqual(8192 + 0.4 * (performance.now() - startedAt))
  expect(process.memoryUsage().rss - before).toBeLessThan(128 * MIB)
})

test('messages are read one after the other, when the one before has been handled', async () => {
  let handled = 0
  let running = 0
  const script = `for (let at = 0; at < 100; at += 1) send({ type: 'ready' }, at === 99 ? () => process.exit() : undefined)`
  const { misuse } = await readAll(script, async () => {
    running += 1
    expect(running).toBe(1)
    await new Promise(setImmediate)
    running -= 1
    handled += 1
  })
  expect([misuse, handled]).toEqual([undefined, 100])
})

/** Counts the open sockets of this process. Other descriptors are opened by the test runner at any time. */
const countSockets = () =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
    } catch {
      return false
    }
  }).length

test('what a broker sends by the channel for sockets does not reach this process', async () => {
  const before = countSockets()
  const { misuse, grownBytes } = await readAll(`
    process.send({ cmd: 'NODE_HANDLE_ACK' })
    const server = require('node:net').createServer().listen(0, () => {
      for (let at = 0; at < 20_000; at += 1) process.send({ fill: 'x'.repeat(1000) })
      process.send({ at: 1 }, server)
      setTimeout(() => process.exit(), 100)
    })`)
  expect(misuse).toBeUndefined()
  expect(grownBytes).toBeLessThan(64 * MIB)
  await expect.poll(countSockets).toBeLessThanOrEqual(before)
})

test('a line that is no message of a broker ends the reading', async () => {
  const script = `send({ type: 'serve' }); setTimeout(() => {}, 60_000)`
  expect((await readAll(script)).misuse).toBe('it sent a message of no known type')
})

test('a broker that ends without reading what was sent is no failure of the agent', async () => {
  const child = startScript('setTimeout(() => {}, 60_000)')
  const channel = new BrokerChannel(child)
  const sent = channel.send({ type: 'close', uid: 'x'.repeat(MIB) })
  const reading = channel.read(() => {})
  await new Promise(setImmediate)
  child.kill('SIGKILL')
  await expect(sent).resolves.toBeUndefined()
  expect(await reading).toBeUndefined()
  await expect(channel.send({ type: 'listen' })).resolves.toBeUndefined()
})

test('a broker that takes no socket for five seconds is ended', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const channel = startProgram(
    `process.removeAllListeners('message'); setTimeout(() => {}, 60_000)`,
  )
  const reading = channel.read(() => {})
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const [first, second] = [channel.sendSocket(server), channel.sendSocket(server)]
  const failures = Promise.allSettled([first, second])
  await vi.advanceTimersByTimeAsync(4999)
  await expect(Promise.race([reading, Promise.resolve('reads')])).resolves.toBe('reads')
  await vi.advanceTimersByTimeAsync(1)
  expect(await reading).toBe('it has not taken a socket within 5 s')
  expect((await failures).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
})

/** Connects to a server of this test. Returns both ends. */
async function connectPair() {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const address = server.address()
  const accepted = once(server, 'connection')
  const socket = connect(typeof address === 'object' ? (address?.port ?? 0) : 0, '127.0.0.1')
  await once(socket, 'connect')
  return { socket, accepted: accepted.then(([peer]: Socket[]) => peer) }
}

test('a connection that its server resets while another one is under way ends neither process', async () => {
  const channel = startProgram(`
    process.removeAllListeners('message')
    const waiting = []
    process.on('message', ({ socket }, received) => {
      received.on('error', () => {})
      waiting.push(socket)
    })
    onMessage(() => {
      const take = () => waiting.length > 0 ? send({ type: 'received', socket: waiting.shift() }) : setTimeout(take, 1)
      take()
    })`)
  void channel.read(() => {})
  const [one, other] = [await connectPair(), await connectPair()]
  const sent = [channel.sendSocket(one.socket), channel.sendSocket(other.socket)]
  const peer = await other.accepted
  peer?.resetAndDestroy()
  await once(peer ?? other.socket, 'close')
  for (let turns = 0; turns < 10; turns += 1) await new Promise(setImmediate)
  for (const uid of ['one', 'other']) void channel.send({ type: 'close', uid })
  expect(await Promise.all(sent)).toEqual([1, 2])
})

test('a connection that a broker has not taken before its end is closed', async () => {
  const channel = startProgram(
    `process.removeAllListeners('message'); process.on('message', () => process.exit())`,
  )
  void channel.read(() => {})
  const { socket, accepted } = await connectPair()
  const sent = channel.sendSocket(socket).catch(errorMessage)
  const peer = await accepted
  await once(peer?.resume() ?? socket, 'close')
  expect(await sent).toBe('the broker has ended')
})

test('a broker that acknowledges a socket that was not sent is ended', async () => {
  const script = `send({ type: 'received', socket: 1 }); setTimeout(() => {}, 60_000)`
  expect((await readAll(script)).misuse).toBe('it received a socket of no number')
})

test('a broker that never reads is ended, before its messages fill the memory of this process', async () => {
  const channel = startProgram(
    `process.removeAllListeners('message'); setTimeout(() => {}, 60_000)`,
  )
  const reading = channel.read(() => {})
  const before = process.memoryUsage().rss
  for (let at = 0; at < 1000; at += 1) {
    void channel.send({ type: 'close', uid: 'x'.repeat(256 * 1024) })
  }
  expect(await reading).toBe('it does not read what it is sent')
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * MIB)
})

test('a connection that is sent is the one that the broker has, and no byte of it is lost', async () => {
  const server = createServer((socket) => socket.pipe(socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const channel = startProgram(`
    onMessage(({ uid }) => {
      const connection = sockets.get(Number(uid))
      connection.write(uid)
      connection.once('data', (data) => send({ type: 'invalid', problem: uid + ' ' + data }))
    })`)
  const echoes: string[] = []
  void channel.read((message) => {
    if (message.type === 'invalid') echoes.push(message.problem)
  })
  const before = countSockets()
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  for (let count = 0; count < 50; count += 1) {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    void channel
      .sendSocket(socket)
      .then((number) => channel.send({ type: 'close', uid: `${number}` }))
  }
  await vi.waitUntil(() => echoes.length === 50, { timeout: 60_000 })
  expect(echoes.toSorted()).toEqual(
    Array.from({ length: 50 }, (_, at) => `${at + 1} ${at + 1}`).toSorted(),
  )
  // This process has the server's ends only.
  expect(countSockets() - before).toBeLessThanOrEqual(51)
})
