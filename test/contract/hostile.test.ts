import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openConnection, request, roundTrip } from '../fixtures/connection.ts'
import { parts } from '../fixtures/parts.ts'
import { serveParts } from '../fixtures/sidecar.ts'

const RIGHT =
  '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net'
const MALFORMED = '{"error":"invalid_request","error_description":"The request is malformed"}'
const MEGABYTE = 'x'.repeat(1_000_000)

const given = parts()
let server: Awaited<ReturnType<typeof serveParts>>
beforeAll(async () => {
  server = await serveParts(given)
})
afterAll(() => server[Symbol.asyncDispose]())

test('answers the probe of the old SDKs byte for byte', async () => {
  const probe = 'GET /metadata/identity/oauth2/token HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n'
  const { head, body } = await roundTrip(server.port, probe)
  expect(`${head}\r\n\r\n${body}`.replace(/(?<=Date: ).*/, 'now')).toBe(
    'HTTP/1.1 400 Bad Request\r\n' +
      'Content-Type: application/json; charset=utf-8\r\n' +
      'Server: IMDS/150.870.65.1854\r\n' +
      'Content-Length: 88\r\n' +
      'Date: now\r\n' +
      'Connection: keep-alive\r\n' +
      'Keep-Alive: timeout=75\r\n\r\n' +
      '{"error":"invalid_request","error_description":"Required metadata header not specified"}',
  )
})

test.each([
  ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n', 400],
  ['a method that HTTP does not know', request(RIGHT, { method: 'FETCH' }), 400],
  ['an HTTP version that is none', request(RIGHT).replace('HTTP/1.1', 'HTTP/9.9'), 400],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
  ['a blank in the target', request('/metadata/ identity'), 400],
  ['a header without a colon', request(RIGHT).replace('Metadata:', 'Metadata'), 400],
  ['a blank before a colon', request(RIGHT).replace('Metadata:', 'Metadata :'), 400],
  ['a line folded', request(RIGHT).replace('Metadata: ', 'Metadata:\r\n '), 400],
  [
    'a body of two lengths',
    request(RIGHT, { headers: { 'Content-Length': '3', 'Transfer-Encoding': 'chunked' } }),
    400,
  ],
  ['a length that is none', request(RIGHT, { headers: { 'Content-Length': '-1' } }), 400],
  ['headers above 16 kB', request(RIGHT, { headers: { 'X-Pad': 'x'.repeat(17_000) } }), 431],
  ['headers of a megabyte', request(RIGHT, { headers: { 'X-Pad': MEGABYTE } }), 431],
  ['a target above 16 kB', request(`${RIGHT}&pad=${'x'.repeat(17_000)}`), 431],
  ['a tunnel', request('evil.example:443', { method: 'CONNECT' }), 405],
])('refuses %s in JSON and closes', async (_, bytes, status) => {
  await using connection = await openConnection(server.port)
  connection.write(bytes)
  const reply = await connection.reply()
  expect(reply.status).toBe(status)
  expect(reply.headers.get('content-type')).toBe('application/json; charset=utf-8')
  expect(reply.headers.get('connection')).toBe('close')
  expect(reply.body).toBe(MALFORMED)
  expect(await connection.closed()).toBe('')
})

test.each([
  ['a tunnel', request('evil.example:443', { method: 'CONNECT' })],
  ['bytes that are not HTTP', 'no HTTP\r\n\r\n'],
  [
    'a body that is too long',
    `${request(RIGHT, { headers: { 'Content-Length': '9'.repeat(9) } })}x`,
  ],
  ['an upgrade', request(RIGHT, { headers: { Connection: 'Upgrade', Upgrade: 'websocket' } })],
])('outlives a caller that asks for %s and resets the connection', async (_, bytes) => {
  for (const waitMs of [0, 1, 5, 20]) {
    await using connection = await openConnection(server.port)
    // What has come and was not read makes the kernel reset the connection.
    connection.pause()
    connection.write(bytes)
    await sleep(waitMs)
    connection.reset()
  }
  await sleep(50)
  expect((await roundTrip(server.port, request(RIGHT))).status).toBe(200)
})

test('waits with closing until a caller that is still sending can read why', async () => {
  await using connection = await openConnection(server.port)
  const resume = connection.pause()
  connection.write(request(RIGHT, { headers: { 'X-Pad': MEGABYTE } }))
  await sleep(100)
  resume()
  expect((await connection.reply()).status).toBe(431)
})

test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND', 'M-SEARCH', 'QUERY'])(
  'answers %s with 405 and what is allowed',
  async (method) => {
    const { status, headers, body } = await roundTrip(server.port, request(RIGHT, { method }))
    expect(status).toBe(405)
    expect(headers.get('allow')).toBe('GET')
    expect(JSON.parse(body)).toMatchObject({ error: 'method_not_allowed' })
  },
)

test('answers HEAD with 405 and no body', async () => {
  await using connection = await openConnection(server.port)
  connection.write(request(RIGHT, { method: 'HEAD' }))
  expect((await connection.reply({ isHead: true })).status).toBe(405)
  connection.write(request(RIGHT))
  expect((await connection.reply()).status).toBe(200)
})

test.each([
  ['GET', RIGHT, 200],
  ['POST', RIGHT, 405],
  ['POST', '/nowhere', 413],
])('answers %s %s with a megabyte to follow, and closes', async (method, target, status) => {
  await using connection = await openConnection(server.port)
  const headers = { 'Content-Length': String(MEGABYTE.length), 'Content-Type': 'text/plain' }
  connection.write(request(target, { method, headers, body: MEGABYTE }))
  const reply = await connection.reply()
  expect(reply.status).toBe(status)
  expect(reply.headers.get('connection')).toBe('close')
  expect(await connection.closed()).toBe('')
  expect((await roundTrip(server.port, request(RIGHT))).status).toBe(200)
})

test.each([
  'http://evil.example/metadata/identity/oauth2/token',
  '/metadata/instance/../identity/oauth2/token',
  '/metadata\\identity\\oauth2\\token',
  '/metadata/identity/oauth2%2ftoken',
  '/metadata/%2e%2e/metadata/identity/oauth2/token',
  '/metadata/identity/oauth2/token%00',
  '/metadata/%zz',
  '/metadata/identity/oauth2/token/../token',
])('refuses the target %s', async (path) => {
  const target = `${path}?api-version=2018-02-01&resource=https://vault.azure.net`
  const before = given.asked.length
  const { status, body } = await roundTrip(server.port, request(target))
  expect(status).toBe(400)
  expect(JSON.parse(body)).toHaveProperty('error')
  expect(given.asked).toHaveLength(before)
})

test.each([
  ['no Host', request(RIGHT, { headers: { Host: undefined } })],
  ['two Hosts', request(RIGHT, { headers: { host: 'localhost' } })],
  ["somebody else's Host", request(RIGHT, { headers: { Host: 'evil.example' } })],
  ['two Metadata headers', request(RIGHT, { headers: { metadata: 'true' } })],
])('refuses a request with %s', async (_, bytes) => {
  const { status } = await roundTrip(server.port, bytes)
  expect(status).toBe(400)
})

test('answers what came before bytes that are no HTTP, and then closes', async () => {
  await using connection = await openConnection(server.port)
  connection.write(`${request(RIGHT)}${request(RIGHT)}\x01\x02garbage\r\n\r\n`)
  expect((await connection.reply()).status).toBe(200)
  expect((await connection.reply()).status).toBe(200)
  expect(await connection.closed()).toBe('')
})

test.each(['', 'GET', 'GET /metadata', request(RIGHT).slice(0, -2), '\r\n'])(
  'outlives a caller that sends %j and goes',
  async (bytes) => {
    await using connection = await openConnection(server.port)
    if (bytes !== '') connection.write(bytes)
    connection.end()
    await connection.closed()
    expect((await roundTrip(server.port, request(RIGHT))).status).toBe(200)
  },
)

test('outlives callers that go before their reply', async () => {
  for (let time = 0; time < 20; time += 1) {
    await using connection = await openConnection(server.port)
    connection.write(request(RIGHT))
  }
  expect((await roundTrip(server.port, request(RIGHT))).status).toBe(200)
})
