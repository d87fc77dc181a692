import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { leaveUnread } from '../../src/server/unread-bodies.ts'
import { openConnection, request } from '../fixtures/connection.ts'
import { listening } from '../fixtures/listening.ts'

const MEGABYTE = 'x'.repeat(1_000_000)
const CHUNKED = `f4240\r\n${MEGABYTE}\r\n0\r\n\r\n`
/** Node reads as much at a time. */
const PIECE = 65_536

/** A server that reads the bodies of PUTs and answers everything. */
async function answering() {
  const sockets: Socket[] = []
  const server = createServer((incoming, response) => {
    leaveUnread(incoming, response)
    const answer = () => response.writeHead(200, { 'Content-Length': 2 }).end('ok')
    if (incoming.method === 'PUT') incoming.resume().on('end', answer)
    else answer()
  })
  server.on('connection', (socket) => sockets.push(socket))
  const { port, [Symbol.asyncDispose]: dispose } = await listening(server)
  return {
    port,
    bytesRead: () => sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0),
    [Symbol.asyncDispose]: dispose,
  }
}

const LONG: [string, string][] = [
  ['a GET', request('/', { headers: { 'Content-Length': '1000000' }, body: MEGABYTE })],
  ['a chunked GET', request('/', { headers: { 'Transfer-Encoding': 'chunked' }, body: CHUNKED })],
  [
    'a form',
    request('/', { method: 'POST', headers: { 'Content-Length': '1000000' }, body: MEGABYTE }),
  ],
]

test.each(LONG)('leaves a long body of %s unread, and closes after the reply', async (_, bytes) => {
  await using server = await answering()
  await using connection = await openConnection(server.port)
  connection.write(bytes)
  const { status, headers } = await connection.reply()
  expect(status).toBe(200)
  expect(headers.get('connection')).toBe('close')
  expect(await connection.closed(500)).toBe('')
  await sleep(100)
  expect(server.bytesRead()).toBeLessThanOrEqual(2 * PIECE)
})

test.each(LONG)('lets a caller send %s in pieces before it reads the reply', async (_, bytes) => {
  await using server = await answering()
  await using connection = await openConnection(server.port)
  const resume = connection.pause()
  for (let at = 0; at < bytes.length; at += 100_000) {
    connection.write(bytes.slice(at, at + 100_000))
    await sleep(20)
  }
  resume()
  expect((await connection.reply()).body).toBe('ok')
})

test('keeps the connection after a body of usual length', async () => {
  await using server = await answering()
  await using connection = await openConnection(server.port)
  const body = 'x'.repeat(PIECE)
  for (const method of ['PUT', 'POST']) {
    connection.write(request('/', { method, headers: { 'Content-Length': `${PIECE}` }, body }))
    const { headers } = await connection.reply()
    expect(headers.get('connection')).toBe('keep-alive')
  }
})

test('closes at once after a body that has been read', async () => {
  await using server = await answering()
  await using connection = await openConnection(server.port)
  const headers = { 'Transfer-Encoding': 'chunked' }
  connection.write(request('/', { method: 'PUT', headers, body: CHUNKED }))
  expect((await connection.reply()).body).toBe('ok')
  expect(await connection.closed(500)).toBe('')
  expect(server.bytesRead()).toBeGreaterThan(MEGABYTE.length)
})
