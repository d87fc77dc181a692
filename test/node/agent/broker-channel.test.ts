/** The channel to a broker that is hostile: a program of this test sends what no broker sends. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { BrokerChannel } from '../../../src/node/agent/broker-channel.ts'
import { errorMessage } from '../../../src/lib/describe-error.ts'
import { CHANNELS, startScript } from './program.ts'

/** Starts a program with a channel until the end of the test. */
function startProgram(script: string) {
  const child = startScript(CHANNELS + script)
  child.stderr?.pipe(process.stderr)
  onTestFinished(() => void child.kill('SIGKILL'))
  return new BrokerChannel(child)
}

test.each([
  ['is of an unknown type', `{ type: 'serve' }`, 'it sent a message of an unknown type'],
  [
    'acknowledges a socket that was not sent',
    `{ type: 'received', socket: 1 }`,
    'it acknowledged a',
  ],
])('a message that %s ends the reading', async (_, message, misuse) => {
  const channel = startProgram(`send(${message}); setTimeout(() => {}, 60_000)`)
  expect(await channel.read(() => {})).toContain(misuse)
})

test('what a broker sends by the channel for sockets does not reach this process', async () => {
  // Without a receiver, the acknowledgement would end this process.
  const child = startScript(`${CHANNELS}
    process.send({ cmd: 'NODE_HANDLE_ACK' })
    const server = require('node:net').createServer().listen(0, () =>
      process.send({ at: 1 }, server, () => process.exit()))`)
  const onMessage = vi.fn<() => void>()
  child.on('message', onMessage)
  expect(await new BrokerChannel(child).read(() => {})).toBeUndefined()
  expect(onMessage).not.toHaveBeenCalled()
})

test('a broker that ends without reading what was sent is no failure of the agent', async () => {
  const child = startScript('setTimeout(() => {}, 60_000)')
  const channel = new BrokerChannel(child)
  const sent = channel.send({ type: 'close', uid: 'x'.repeat(1024 * 1024) })
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

test('the agent closes a connection that the broker has not taken when it ends', async () => {
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

test('a broker that never reads is ended', async () => {
  const channel = startProgram(
    `process.removeAllListeners('message'); setTimeout(() => {}, 60_000)`,
  )
  const reading = channel.read(() => {})
  for (let at = 0; at < 1000; at += 1) {
    void channel.send({ type: 'close', uid: 'x'.repeat(256 * 1024) })
  }
  expect(await reading).toBe('it does not read what it is sent')
})

test('a connection that is sent is the one that the broker has, and no byte of it is lost', async () => {
  const closed: Promise<unknown>[] = []
  const server = createServer((socket) => {
    closed.push(once(socket, 'close'))
    socket.pipe(socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const channel = startProgram(`
    onMessage(({ type, uid }) => {
      if (type === 'listen') process.exit()
      const connection = sockets.get(Number(uid))
      connection.write(uid)
      connection.once('data', (data) => send({ type: 'invalid', problem: uid + ' ' + data }))
    })`)
  const echoes: string[] = []
  void channel.read((message) => {
    if (message.type === 'invalid') echoes.push(message.problem)
  })
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
  // This process has kept no end of them.
  void channel.send({ type: 'listen' })
  await Promise.all(closed)
})
