import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { createPassThrough } from '../../src/sidecar/metadata/pass-through.ts'
import { request, roundTrip } from '../fixtures/connection.ts'
import { listening } from '../fixtures/listening.ts'
import { parts } from '../fixtures/parts.ts'
import { serveParts } from '../fixtures/sidecar.ts'

test('returns the real service’s reply with each header once', async () => {
  await using real = await listening(
    createServer((_, reply) => {
      reply.writeHead(200, { 'content-type': 'text/plain', 'retry-after': '7', 'x-other': '1' })
      reply.end('real')
    }),
  )
  const target = { host: '127.0.0.1', port: real.port }
  const prefixes = ['/metadata/loadbalancer']
  await using server = await serveParts(
    parts({ passThrough: createPassThrough({ prefixes, target }) }),
  )
  for (const path of ['/metadata/loadbalancer', '//metadata/loadbalancer']) {
    const { head, body } = await roundTrip(server.port, request(path))
    expect(body).toBe('real')
    expect(head.match(/^content-type:.*$/gim)).toEqual(['Content-Type: text/plain'])
    expect(head).toContain('Retry-After: 7')
    expect(head).not.toMatch(/^x-other/im)
  }
})

/** Returns the sidecar's status and error codes when the real service does this with the connection. */
async function replyTo(answer: (socket: Socket) => void, timeoutMs = 5000) {
  await using real = await listening(createServer(({ socket }) => answer(socket)))
  const target = { host: '127.0.0.1', port: real.port }
  const prefixes = ['/metadata/loadbalancer']
  const given = parts({ passThrough: createPassThrough({ prefixes, target, timeoutMs }) })
  await using server = await serveParts(given)
  const { status } = await roundTrip(server.port, request('/metadata/loadbalancer'))
  return { status, codes: given.replies.map(({ error }) => error?.code) }
}

test.each([
  ['below 100', 'HTTP/1.1 099 X\r\nContent-Length: 2\r\n\r\nhi'],
  ['000', 'HTTP/1.1 000 X\r\nContent-Length: 2\r\n\r\nhi'],
  ['above 599', 'HTTP/1.1 999 X\r\nContent-Length: 2\r\n\r\nhi'],
])('replies 503 to a status %s', async (_, bytes) => {
  const reply = await replyTo((socket) => socket.end(bytes))
  expect(reply).toEqual({ status: 503, codes: ['pass_through_failed'] })
})

test.each([
  ['an upgrade', 'HTTP/1.1 101 X\r\nUpgrade: a\r\nConnection: Upgrade\r\n\r\nxx'],
  ['an upgrade to nothing', 'HTTP/1.1 101 X\r\n\r\n'],
])('replies 503 to %s without waiting for the time limit', async (_, bytes) => {
  const reply = await replyTo((socket) => socket.write(bytes), 600_000)
  expect(reply).toEqual({ status: 503, codes: ['pass_through_failed'] })
})

const PARTIAL = 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"a":"partial'

test.each<[string, (socket: Socket) => void]>([
  ['stalls', (socket) => void socket.write(PARTIAL)],
  ['is reset', (socket) => void socket.write(PARTIAL, () => socket.resetAndDestroy())],
])('replies 503 to a body without a length that %s', async (_, answer) => {
  expect(await replyTo(answer, 200)).toEqual({ status: 503, codes: ['pass_through_failed'] })
})

test('returns a body of its full length although more bytes follow', async () => {
  const whole = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'
  const reply = await replyTo((socket) => socket.write(`${whole} and more`))
  expect(reply).toEqual({ status: 200, codes: [undefined] })
})
