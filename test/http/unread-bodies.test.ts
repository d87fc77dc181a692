import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { paceUnreadBody } from '../../src/http/unread-bodies.ts'
import { openConnection, request } from '../fixtures/connection.ts'

const MEGABYTE = 'x'.repeat(1_000_000)
const CHUNKED = `f4240\r\n${MEGABYTE}\r\n0\r\n\r\n`

/** In which turns of the event loop pieces of the body were read, and how many bytes they had. */
async function readingsOf(bytes: string) {
  const turns: number[] = []
  let turn = 0
  let length = 0
  let ticking = setImmediate(function tick() {
    turn += 1
    ticking = setImmediate(tick)
  })
  const server = createServer((incoming, response) => {
    paceUnreadBody(incoming)
    incoming.on('data', (chunk: Buffer) => {
      turns.push(turn)
      length += chunk.length
    })
    incoming.on('end', () => response.end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port }: AddressInfo = JSON.parse(JSON.stringify(server.address()))
  const connection = await openConnection(port)
  connection.write(bytes)
  await once(server, 'request').then(([incoming]) => once(incoming, 'end'))
  clearImmediate(ticking)
  await connection[Symbol.asyncDispose]()
  server.close()
  return { turns, length }
}

test.each([
  ['a GET', request('/', { headers: { 'Content-Length': '1000000' }, body: MEGABYTE })],
  ['a chunked GET', request('/', { headers: { 'Transfer-Encoding': 'chunked' }, body: CHUNKED })],
  [
    'a form that is too long',
    request('/', { method: 'POST', headers: { 'Content-Length': '1000000' }, body: MEGABYTE }),
  ],
])('reads the body of %s to its end, a piece in each turn', async (_, bytes) => {
  const { turns, length } = await readingsOf(bytes)
  expect(length).toBe(MEGABYTE.length)
  expect(turns.length).toBeGreaterThan(10)
  expect(new Set(turns).size).toBe(turns.length)
})

test('leaves a form of usual length to who reads it', async () => {
  const form = 'resource=https://vault.azure.net'
  const headers = { 'Content-Length': String(form.length) }
  const { length } = await readingsOf(request('/', { method: 'POST', headers, body: form }))
  expect(length).toBe(form.length)
})
