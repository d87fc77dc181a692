import { describe, expect, test, vi } from 'vitest'
import { CONNECTION_TIMEOUTS } from '../../src/service/connections.ts'
import type { ListenOptions } from '../../src/service/listen.ts'
import { type Connection, openConnection, request, TOKEN } from '../fixtures/connection.ts'
import { gatedParts } from '../fixtures/parts.ts'
import { serveParts } from '../fixtures/sidecar.ts'

const HALF = request(TOKEN).slice(0, -2)
const HALF_BODY = request('/nowhere', {
  method: 'POST',
  headers: { 'Content-Length': '9' },
  body: 'x',
})

/** Starts a server that answers token requests after `release`. Its connections end with the test. */
async function startCapped(maxConnections: number, timeouts?: ListenOptions['timeouts']) {
  const stack = new AsyncDisposableStack()
  const given = gatedParts()
  const { port, close } = stack.use(
    await serveParts(given, { maxConnections, ...(timeouts && { timeouts }) }),
  )
  return {
    port,
    open: async (): Promise<Connection> => stack.use(await openConnection(port)),
    /** Waits until this many requests have reached the token source. */
    untilAnswering: (count: number) => expect.poll(() => given.asked.length).toBe(count),
    asked: () => given.asked.length,
    release: given.release,
    close,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** Sends a request that needs no token; returns whether it was answered. */
async function isServed(connection: Connection): Promise<boolean> {
  connection.write(request('/metadata/versions'))
  return (await connection.reply()).status === 200
}

const countClosed = (connections: readonly Connection[]) =>
  connections.filter((connection) => connection.isClosed()).length

test('the cap closes the longest-idle connection for a new one', async () => {
  await using server = await startCapped(3)
  const [first, second, third] = [await server.open(), await server.open(), await server.open()]
  // After this reply the second connection is the longest-idle one.
  expect(await isServed(first)).toBe(true)
  const fourth = await server.open()
  expect(await second.closed()).toBe('')
  for (const connection of [fourth, first, third]) expect(await isServed(connection)).toBe(true)
})

test.each([
  ['nothing', ''],
  ['half a body', HALF_BODY],
])('the cap closes connections that have sent %s', async (_, bytes) => {
  await using server = await startCapped(3)
  const slow = [await server.open(), await server.open(), await server.open()]
  for (const connection of slow) connection.write(bytes)
  const callers = [await server.open(), await server.open()]
  for (const caller of callers) expect(await isServed(caller)).toBe(true)
  await expect.poll(() => countClosed(slow)).toBe(2)
})

test('the cap closes new connections while every other one waits for a reply', async () => {
  await using server = await startCapped(2)
  const busy = [await server.open(), await server.open()]
  busy[0]?.write(request(TOKEN))
  busy[1]?.write(request(TOKEN, { headers: { 'Content-Length': '3' }, body: 'a=b' }))
  await server.untilAnswering(2)
  const crowd = await Promise.all(Array.from({ length: 5 }, () => server.open()))
  await expect.poll(() => countClosed(crowd)).toBe(5)
  server.release()
  for (const connection of busy) expect((await connection.reply()).status).toBe(200)
  expect(await isServed(await server.open())).toBe(true)
})

test('a connection that sends a request before the reply to the one before it is closed', async () => {
  await using server = await startCapped(3)
  const flooder = await server.open()
  flooder.write(request(TOKEN).repeat(2))
  expect(await flooder.closed()).toBe('')
  expect(server.asked()).toBeLessThanOrEqual(1)
  expect(await isServed(await server.open())).toBe(true)
})

test('a request whose headers or body do not come in time gets 408', async () => {
  await using server = await startCapped(3, {
    ...CONNECTION_TIMEOUTS,
    headersTimeout: 50,
    requestTimeout: 100,
    connectionsCheckingInterval: 25,
  })
  const slow = [await server.open(), await server.open()]
  slow[0]?.write(HALF)
  slow[1]?.write(HALF_BODY)
  const replies = await Promise.all(slow.map((each) => each.reply()))
  expect(replies.map(({ status }) => status)).toEqual([408, 408])
})

describe('a drain', () => {
  test('closes idle connections, answers the request in flight, and accepts no new connection', async () => {
    await using server = await startCapped(3)
    const [waiting, silent, idle] = [await server.open(), await server.open(), await server.open()]
    expect(await isServed(idle)).toBe(true)
    waiting.write(request(TOKEN))
    await server.untilAnswering(1)
    const closing = server.close(60_000)
    expect([await idle.closed(), await silent.closed()]).toEqual(['', ''])
    await vi.waitFor(() => expect(openConnection(server.port)).rejects.toThrow('ECONNREFUSED'))
    server.release()
    const reply = await waiting.reply()
    expect(reply.status).toBe(200)
    expect(reply.headers.get('connection')).toBe('close')
    await closing
    expect(await waiting.closed()).toBe('')
  })

  test('closes every connection after its time limit', async () => {
    await using server = await startCapped(3)
    const waiting = await server.open()
    waiting.write(request(TOKEN))
    await server.untilAnswering(1)
    await server.close(50)
    expect(await waiting.closed()).toBe('')
  })
})
