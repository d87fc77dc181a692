import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Connection, openConnection, request } from '../fixtures/connection.ts'
import { gatedParts } from '../fixtures/parts.ts'
import { serveParts } from '../fixtures/sidecar.ts'

const RIGHT =
  '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net'
const HALF = request(RIGHT).slice(0, -2)

/** A server whose tokens come when `release` is called, and connections that end with the test. */
async function capped(maxConnections: number) {
  const stack = new AsyncDisposableStack()
  const given = gatedParts()
  const { port } = stack.use(await serveParts(given, { maxConnections }))
  return {
    open: async (): Promise<Connection> => stack.use(await openConnection(port)),
    /** Waits until this many requests are being answered. */
    answering: (count: number) => expect.poll(() => given.asked.length).toBe(count),
    release: given.release,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** Whether a request on the connection gets its reply. */
async function isServed(connection: Connection): Promise<boolean> {
  connection.write(request('/metadata/versions'))
  return (await connection.reply()).status === 200
}

test('closes the longest-idle connection for a new one', async () => {
  await using server = await capped(3)
  const [first, second, third] = [await server.open(), await server.open(), await server.open()]
  // Used again: now the second is the longest-idle.
  expect(await isServed(first)).toBe(true)
  const fourth = await server.open()
  expect(await second.closed()).toBe('')
  expect(await isServed(fourth)).toBe(true)
  expect(await isServed(first)).toBe(true)
  expect(await isServed(third)).toBe(true)
})

test('keeps as many connections as allowed, however often some are opened and closed', async () => {
  await using server = await capped(3)
  for (let time = 0; time < 20; time += 1) {
    const connection = await server.open()
    expect(await isServed(connection)).toBe(true)
    connection.end()
    await connection.closed()
  }
  const three = [await server.open(), await server.open(), await server.open()]
  for (const connection of three) expect(await isServed(connection)).toBe(true)
  for (const connection of three) expect(connection.isClosed()).toBe(false)
})

test.each([
  ['say nothing', ''],
  ['send half a request', HALF],
  [
    'send half a body',
    request('/nowhere', { method: 'POST', headers: { 'Content-Length': '9' }, body: 'x' }),
  ],
  ['send one half after another', `${request('/metadata/versions')}${HALF}`],
])('lets new callers in while others %s', async (_, bytes) => {
  await using server = await capped(3)
  const slow = [await server.open(), await server.open(), await server.open()]
  for (const connection of slow) connection.write(bytes)
  await sleep(50)
  const callers = [await server.open(), await server.open()]
  for (const caller of callers) expect(await isServed(caller)).toBe(true)
  expect(slow.filter((connection) => connection.isClosed())).toHaveLength(2)
})

test('never closes a connection that is being answered', async () => {
  await using server = await capped(3)
  const answered = await server.open()
  answered.write(request(RIGHT))
  await server.answering(1)
  const crowd = Array.from({ length: 10 }, () => server.open())
  for (const other of await Promise.all(crowd)) other.write(HALF)
  await sleep(50)
  server.release()
  expect((await answered.reply()).status).toBe(200)
})

test.each([
  ['an odd Expect', request(RIGHT, { headers: { Expect: 'wonders' } })],
  ['a request before it', request('/metadata/versions') + request(RIGHT)],
  ['a body', request(RIGHT, { headers: { 'Content-Length': '3' }, body: 'a=b' })],
])('never closes a connection whose request has %s', async (_, bytes) => {
  await using server = await capped(1)
  const answered = await server.open()
  answered.write(bytes)
  await server.answering(1)
  const other = await server.open()
  expect(await other.closed()).toBe('')
  server.release()
  await expect.poll(async () => (await answered.reply()).body).toContain('access_token')
})

test('does not count callers that went before their reply', async () => {
  await using server = await capped(2)
  const idle = await server.open()
  const gone = await server.open()
  gone.write(request(RIGHT))
  await server.answering(1)
  gone.destroy()
  await sleep(50)
  expect(await isServed(await server.open())).toBe(true)
  expect(await isServed(idle)).toBe(true)
})

test('refuses a new connection only while every one is being answered', async () => {
  await using server = await capped(2)
  const busy = [await server.open(), await server.open()]
  for (const connection of busy) connection.write(request(RIGHT))
  await server.answering(2)
  expect(await (await server.open()).closed()).toBe('')
  server.release()
  for (const connection of busy) expect((await connection.reply()).status).toBe(200)
  expect(await isServed(await server.open())).toBe(true)
})

test('closes a connection whose caller does not read its replies', async () => {
  await using server = await capped(1)
  const deaf = await server.open()
  // More replies than the buffers of the connection hold.
  deaf.pause()
  for (let time = 0; time < 200; time += 1) {
    deaf.write(request('/metadata/versions').repeat(500))
  }
  await sleep(200)
  expect(await isServed(await server.open())).toBe(true)
})

test('answers a caller that has said all it will say', async () => {
  await using server = await capped(3)
  const caller = await server.open()
  caller.write(`${request('/metadata/versions')}${request(RIGHT)}`)
  caller.end()
  await server.answering(1)
  server.release()
  expect([(await caller.reply()).status, (await caller.reply()).status]).toEqual([200, 200])
  expect(await caller.closed()).toBe('')
})

test('closes the connection of a caller that leaves without a whole request', async () => {
  await using server = await capped(3)
  const silent = await server.open()
  silent.end()
  expect(await silent.closed()).toBe('')
  const half = await server.open()
  half.write(HALF)
  half.end()
  expect(await half.closed()).toContain('400 Bad Request')
})
