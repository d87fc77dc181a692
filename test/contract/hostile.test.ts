import { afterAll, expect, test } from 'vitest'
import { openConnection, request, roundTrip, TOKEN } from '../fixtures/connection.ts'
import { parts } from '../fixtures/parts.ts'
import { serveParts } from '../fixtures/sidecar.ts'

const MEGABYTE = 'x'.repeat(1_000_000)

const given = parts()
const server = await serveParts(given)
afterAll(() => server[Symbol.asyncDispose]())

test('answers the probe of SDKs as IMDS does, with our code', async () => {
  const probe = 'GET /metadata/identity/oauth2/token HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n'
  const { head, body } = await roundTrip(server.port, probe)
  const shown = head.replace(/(?<=Date: ).*/, 'now').replace(/(?<=-id: )[\w-]{36}$/m, 'guid')
  expect(`${shown}\r\n\r\n${body}`).toBe(
    'HTTP/1.1 400 Bad Request\r\n' +
      'Content-Type: application/json; charset=utf-8\r\n' +
      'Server: IMDS/150.870.65.1854\r\n' +
      'Content-Length: 122\r\n' +
      'X-Wimds-Error: metadata_header_missing\r\n' +
      'x-ms-request-id: guid\r\n' +
      'Date: now\r\n' +
      'Connection: keep-alive\r\n' +
      'Keep-Alive: timeout=75\r\n\r\n' +
      '{"error":"invalid_request","error_description":"Required metadata header not specified","wimds":"metadata_header_missing"}',
  )
})

test.each([
  ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n', 400],
  ['headers above 16 kB', request(TOKEN, { headers: { 'X-Pad': 'x'.repeat(17_000) } }), 431],
])('rejects %s and closes', async (_, bytes, status) => {
  await using connection = await openConnection(server.port)
  connection.write(bytes)
  const reply = await connection.reply()
  expect(reply.status).toBe(status)
  expect(reply.headers.get('connection')).toBe('close')
  expect(await connection.closed()).toBe('')
})

test('closes the connection of a tunnel', async () => {
  await using connection = await openConnection(server.port)
  connection.write(request('evil.example:443', { method: 'CONNECT' }))
  expect(await connection.closed()).toBe('')
})

test.each([
  ['ends in the middle of a chunk', { 'Transfer-Encoding': 'chunked' }, '20\r\nresource='],
  ['has a chunk without a size', { 'Transfer-Encoding': 'chunked' }, 'zz\r\na=b\r\n0\r\n\r\n'],
])('rejects a body that %s', async (_, headers, body) => {
  await using connection = await openConnection(server.port)
  connection.write(request('/nowhere', { method: 'POST', headers, body }))
  connection.end()
  expect((await connection.reply()).status).toBe(400)
  expect(await connection.closed()).toBe('')
})

test('answers HEAD with 405, the allowed method and no body', async () => {
  await using connection = await openConnection(server.port)
  connection.write(request(TOKEN, { method: 'HEAD' }))
  const { status, headers } = await connection.reply({ isHead: true })
  expect([status, headers.get('allow')]).toEqual([405, 'GET'])
  connection.write(request(TOKEN))
  expect((await connection.reply()).status).toBe(200)
})

test('closes the connection of a request with a megabyte to follow', async () => {
  await using connection = await openConnection(server.port)
  const headers = { 'Content-Length': String(MEGABYTE.length), 'Content-Type': 'text/plain' }
  connection.write(request(TOKEN, { headers, body: MEGABYTE }))
  await connection.closed()
  expect((await roundTrip(server.port, request(TOKEN))).status).toBe(200)
})

// The guard rejects the request because of its last header. Node drops headers after the 128th.
test.each([
  [127, 400],
  [128, 431],
])('rejects a forwarded request with %i headers', async (count, status) => {
  const fillers = Array.from({ length: count - 3 }, (_, index) => [`X-${index}`, ''])
  const headers = { ...Object.fromEntries(fillers), 'X-Forwarded-For': '10.0.0.9' }
  expect((await roundTrip(server.port, request(TOKEN, { headers }))).status).toBe(status)
})
