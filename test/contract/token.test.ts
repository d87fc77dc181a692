import { decodeJwt } from 'jose'
import { afterAll, expect, test } from 'vitest'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { openConnection, type RawReply, request, roundTrip } from '../fixtures/connection.ts'
import { environmentOf, startServe } from '../fixtures/served.ts'

const TOKEN = '/metadata/identity/oauth2/token'
const RIGHT = `${TOKEN}?api-version=2018-02-01&resource=https://vault.azure.net`
const GRAPH_ID = '00000003-0000-0000-c000-000000000000'

const simulator = await createSimulator()
afterAll(() => simulator.close())
const sidecar = await startServe(environmentOf(simulator))
afterAll(() => sidecar[Symbol.asyncDispose]())

const get = (target: string, options = {}): Promise<RawReply> =>
  roundTrip(sidecar.port, request(target, options))

/** The claims of the access token in a reply. */
function claimsOf({ body }: RawReply) {
  const { access_token: token }: { access_token: string } = JSON.parse(body)
  return decodeJwt(token)
}

test('replies byte for byte as the real service does', async () => {
  const askedAt = Date.now() / 1000
  const { head, body } = await get(RIGHT)
  expect(head.replace(/(?<=Date: ).*/, 'now').replace(/(?<=-id: )[\w-]{36}$/m, 'guid')).toBe(
    [
      'HTTP/1.1 200 OK',
      'Content-Type: application/json; charset=utf-8',
      'Server: IMDS/150.870.65.1854',
      `Content-Length: ${body.length}`,
      'x-ms-request-id: guid',
      'Date: now',
      'Connection: keep-alive',
      'Keep-Alive: timeout=75',
    ].join('\r\n'),
  )
  // All strings, alphabetical, no blank, no line end, no BOM.
  const pattern =
    /^\{"access_token":"[\w.-]+","client_id":"([\w-]+)","expires_in":"(\d+)","expires_on":"(\d+)","ext_expires_in":"\d+","not_before":"(\d+)","resource":"https:\/\/vault\.azure\.net","token_type":"Bearer"\}$/
  const [, clientId, expiresIn, expiresOn, notBefore] = pattern.exec(body) ?? []
  expect(clientId).toBe(simulator.clientId)
  expect(Number(expiresIn)).toBeGreaterThan(3000)
  // Both are whole seconds.
  const answeredAt = Number(expiresOn) - Number(expiresIn)
  expect(answeredAt).toBeGreaterThanOrEqual(askedAt - 1)
  expect(answeredAt).toBeLessThanOrEqual(Date.now() / 1000 + 1)
  expect(Number(notBefore)).toBeLessThan(answeredAt)
})

test.each([
  ['https%3A%2F%2Fmanagement.azure.com%2f', 'https://management.azure.com/'],
  ['https://management.azure.com//.default', 'https://management.azure.com/'],
  [GRAPH_ID, GRAPH_ID],
])('gets a token for %s whose audience is %s', async (resource, audience) => {
  const reply = await get(`${TOKEN}?api-version=2018-02-01&resource=${resource}`)
  expect(claimsOf(reply)).toMatchObject({
    aud: audience,
    tid: simulator.tenantId,
    appid: simulator.clientId,
    oid: expect.any(String),
    exp: expect.any(Number),
  })
  expect(JSON.parse(reply.body)).toMatchObject({ resource: decodeURIComponent(resource) })
})

test.each([
  ['no Host from HTTP/1.0', RIGHT, { version: '1.0', headers: { Host: undefined } }],
  [
    "a browser's headers",
    RIGHT,
    { headers: { 'Sec-Fetch-Mode': 'cors', 'Content-Type': 'application/x-www-form-urlencoded' } },
  ],
  ['a path that begins with two slashes', `/${RIGHT}`, {}],
  [
    'another spelling',
    RIGHT.replace('metadata/identity', 'METADATA/Identity').replace('?', '/?'),
    {},
  ],
  ['the whole URL as target', `http://169.254.169.254${RIGHT}`, {}],
  ['an Expect that is unknown', RIGHT, { headers: { Expect: '200-maybe' } }],
  [
    'a chunked body',
    RIGHT,
    { headers: { 'Transfer-Encoding': 'chunked' }, body: '3\r\na=b\r\n0\r\n\r\n' },
  ],
  [
    'an offer of HTTP/2, as Java makes it',
    RIGHT,
    {
      headers: {
        Connection: 'Upgrade, HTTP2-Settings',
        Upgrade: 'h2c',
        'HTTP2-Settings': 'AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
      },
    },
  ],
] as const)('answers a request with %s', async (_, target, options) => {
  const { status, headers, body } = await get(target, options)
  expect(status).toBe(200)
  expect(headers.get('content-length')).toBe(String(body.length))
  expect(body).toMatch(/^\{"access_token":"eyJ/)
})

test('answers several requests on one connection', async () => {
  await using connection = await openConnection(sidecar.port)
  connection.write(request(RIGHT))
  expect((await connection.reply()).body).toContain('access_token')
  connection.write(request('/metadata/versions'))
  expect((await connection.reply()).body).toContain('apiVersions')
  connection.write(request(RIGHT, { headers: { Metadata: undefined } }))
  expect((await connection.reply()).status).toBe(400)
  expect(connection.isClosed()).toBe(false)
})

test('closes the connection after its reply to HTTP/1.0, unless the client asks to keep it', async () => {
  await using connection = await openConnection(sidecar.port)
  for (const expected of ['keep-alive', 'keep-alive', 'close']) {
    connection.write(request(RIGHT, { version: '1.0', headers: { Connection: expected } }))
    expect((await connection.reply()).headers.get('connection')).toBe(expected)
  }
  expect(await connection.closed()).toBe('')
})
