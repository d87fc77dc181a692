/** The channel to a broker that is hostile: a program of this test sends what no broker sends. */
import { ChildProcess, spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { BrokerChannel, CHANNEL_ENV } from '../../../src/node/agent/broker-channel.ts'
import type { BrokerMessage } from '../../../src/node/broker/messages.ts'
import { compiledHelper } from './helper.ts'

/** Starts a program with a channel until the end of the test. */
function startProgram(script: string) {
  const child = spawn(process.execPath, ['-e', script], {
    env: { ...process.env, ...CHANNEL_ENV },
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  })
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
      try { at += writeSync(3, bytes, at) } catch (error) { if (error.code !== 'EAGAIN') process.exit() }
    }
  }
`
const MIB = 1024 * 1024

test('a gigabyte without an end of a line ends the reading, and does not fill the memory', async () => {
  const script = `${WRITE_ALL} for (let at = 0; at < 1024; at += 1) writeAll(Buffer.alloc(${MIB}, 'x'))`
  const { misuse, grownBytes } = await readAll(script)
  expect(misuse).toBe('it sent a line of more than 262144 bytes')
  expect(grownBytes).toBeLessThan(64 * MIB)
})

test.each([
  ['short messages', `'{"type":"pong"}\\n'`],
  [
    'long messages',
    `JSON.stringify({ type: 'read', id: 1, uid: 'a', path: 'x'.repeat(200_000) }) + '\\n'`,
  ],
])('a flood of %s ends the reading', async (_, message) => {
  const script = `${WRITE_ALL} const line = Buffer.from((${message}).repeat(64)); for (;;) writeAll(line)`
  const { misuse, grownBytes } = await readAll(script)
  expect(misuse).toBe('it sent more than 400 lines or KiB a second')
  expect(grownBytes).toBeLessThan(128 * MIB)
})

test('messages are read one after the other, when the one before has been handled', async () => {
  let handled = 0
  let running = 0
  const script = `for (let at = 0; at < 100; at += 1) process.send({ type: 'pong' }); process.disconnect()`
  const { misuse } = await readAll(script, async () => {
    running += 1
    expect(running).toBe(1)
    await new Promise(setImmediate)
    running -= 1
    handled += 1
  })
  expect([misuse, handled]).toEqual([undefined, 100])
})

const count = () => readdirSync('/proc/self/fd').length

test('a message that cannot be handled ends the reading, with the reason', async () => {
  const { misuse } = await readAll(
    `process.send({ type: 'ready' }); setTimeout(() => {}, 60_000)`,
    () => {
      throw new Error('no memory')
    },
  )
  expect(misuse).toBe('it sent a line that could not be handled: no memory')
})

test('descriptors that it sends do not reach this process', async () => {
  const before = count()
  let most = 0
  let received = 0
  const script = `
    const { spawnSync } = require('node:child_process')
    const fd = require('node:fs').openSync('/dev/null')
    for (let at = 0; at < 50; at += 1) {
      const stdio = ['pipe', 'inherit', 'inherit', 3, fd]
      spawnSync('${compiledHelper()}', ['send-socket', '3', '4'], { stdio, input: '{"type":"pong"}\\n' })
    }
    process.exit()
  `
  await readAll(script, () => {
    received += 1
    most = Math.max(most, count())
  })
  expect(received).toBe(50)
  expect(most).toBeLessThanOrEqual(before + 8)
})

test.each([
  ['no JSON', 'pong'],
  ['another type', '{"type":"serve"}'],
  ['no object', '7'],
])('a line with %s ends the reading', async (_, line) => {
  const script = `require('node:fs').writeSync(3, ${JSON.stringify(`${line}\n`)}); setTimeout(() => {}, 60_000)`
  expect((await readAll(script)).misuse).toBe('it sent a message of no known type')
})

test('a message in single bytes counts as many messages', async () => {
  const stream = new Socket()
  const child = Object.assign(new ChildProcess(), { stdio: [null, null, null, stream, null] })
  const reading = new BrokerChannel(child).read(() => {})
  while (!stream.destroyed) {
    stream.push('x')
    await new Promise(setImmediate)
  }
  expect(await reading).toBe('it sent more than 400 lines or KiB a second')
})

test('a broker that ends without reading what was sent is no failure of the agent', async () => {
  const child = spawn('sleep', ['60'], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] })
  const channel = new BrokerChannel(child)
  const sent = channel.send({ type: 'file', id: 1, text: 'x'.repeat(4 * MIB) })
  const reading = channel.read(() => {})
  await new Promise(setImmediate)
  child.kill('SIGKILL')
  await expect(sent).resolves.toBeUndefined()
  expect(await reading).toBeUndefined()
  await expect(channel.send({ type: 'ping' })).resolves.toBeUndefined()
})
