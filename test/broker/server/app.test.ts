import type { InjectOptions } from 'fastify'
import { expect, test } from 'vitest'
import { imds } from '../../../src/broker/dialects/imds.ts'
import { createGuard } from '../../../src/broker/server/guard.ts'
import { BrokerError } from '../../../src/lib/errors.ts'
import { createMetadataApp, createMetadataPort } from '../../../src/broker/server/app.ts'
import { openConnection, request, roundTrip, TOKEN } from '../../fixtures/connection.ts'
import { identitiesOf, parts, type TestParts } from '../../fixtures/parts.ts'

const QUERY = 'api-version=2018-02-01&resource=https://vault.azure.net'
const TOKEN_URL = `/metadata/identity/oauth2/token?${QUERY}`
const HEADERS = { host: '169.254.169.254', metadata: 'true' }

/** Returns the reply to a request, by default for a token, of an application with these parts. */
async function ask(given: TestParts, other: InjectOptions = {}) {
  await using app = createMetadataApp(() => given.pod, given.clock)
  return await app.inject({ url: TOKEN_URL, headers: HEADERS, ...other })
}

test('returns the 400 of IMDS and our code for an unknown identity', async () => {
  const given = parts()
  const reply = await ask(given, { url: `${TOKEN_URL}&msi_res_id=/subscriptions/x` })
  expect(reply.statusCode).toBe(400)
  expect(reply.json()).toEqual({
    error: 'invalid_request',
    error_description: 'Identity not found',
    wimds: expect.stringMatching(/^identity_not_found: no identity .* Fix: correct the request/),
  })
  expect(given.asked).toEqual([])
})

test.each([
  ['entra_unreachable', 1001, '2'],
  // The retry is running.
  ['entra_unreachable', 0, '1'],
  ['federated_credential_not_found', 1001, undefined],
  // Clients sleep for the time of Retry-After, and log nothing.
  ['entra_throttled', 3_600_000, '10'],
] as const)(
  'replies to %s with %i ms left with the Retry-After %j and the code',
  async (code, retryAfterMs, retryAfter) => {
    const { headers } = await ask(failingWith(new BrokerError(code, 'x', { retryAfterMs })))
    expect([headers['retry-after'], headers['x-wimds-error']]).toEqual([retryAfter, code])
  },
)

test('gives each reply its own request id, even a reply that was rendered before', async () => {
  const { pod, clock } = parts()
  await using app = createMetadataApp(() => pod, clock)
  const replies = [1, 2].map(() => app.inject({ url: TOKEN_URL, headers: HEADERS }))
  const ids = (await Promise.all(replies)).map(({ headers }) => String(headers['x-ms-request-id']))
  expect(new Set(ids).size).toBe(2)
  for (const id of ids) expect(id).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/)
})

test('returns 500 without details for an unexpected error, and reports its cause', async () => {
  const cause = Object.assign(new TypeError('secret detail'), { statusCode: 502 })
  const given = failingWith(cause)
  const reply = await ask(given)
  expect(reply.statusCode).toBe(500)
  expect(reply.body).not.toContain('detail')
  expect(given.replies).toMatchObject([{ status: 500, error: { code: 'internal', cause } }])
})

test('writes error bodies as one line of ASCII', async () => {
  const said = 'Größe “x” → 🔑\r\nTrace: 1'
  const error = new BrokerError('federated_credential_not_found', said)
  const { body, headers } = await ask(failingWith(error))
  expect(body).toMatch(/^[\x20-\x7e]+$/)
  expect(headers['content-length']).toBe(String(body.length))
  expect(JSON.parse(body)).toMatchObject({ error_description: expect.stringContaining(said) })
})

test('reports each reply with its dialect and the request headers', async () => {
  const given = parts()
  const headers = { ...HEADERS, 'user-agent': 'azsdk/1' }
  await ask(given, { headers })
  await ask(given, { url: '/metadata/versions', headers })
  await ask(given, { url: '/nowhere', headers })
  expect(given.replies).toMatchObject([
    { protocol: 'imds', status: 200, headers: { 'user-agent': 'azsdk/1' } },
    { protocol: 'document', status: 200 },
    { protocol: 'none', status: 404, error: { code: 'not_found' } },
  ])
})

test.each([
  [true, 200],
  [false, 503],
])('returns the readiness %s on /readyz with %i', async (isReady, status) => {
  const given = parts({ isReady: () => isReady, instanceId: '1' })
  // The kubelet sends the pod's address as Host, and no Metadata header.
  const reply = await ask(given, { url: '/readyz', headers: { host: '10.1.2.3:8000' } })
  expect(reply.statusCode).toBe(status)
  expect(reply.json()).toEqual({ ready: isReady, instanceId: '1' })
  // Telemetry ignores the probe.
  expect(given.replies).toMatchObject([{ protocol: 'none', status, error: undefined }])
})

/** Returns parts whose token source throws. */
function failingWith(cause: Error) {
  return parts({ tokens: () => Promise.reject(cause) })
}

test('returns 500 in the format of the dialect when a reply cannot be written', async () => {
  const unwritable = { status: 200, headers: { 'X-Name': '鍵' }, body: '' }
  const given = parts({ dialects: [{ ...imds, render: () => unwritable }] })
  const reply = await ask(given)
  expect([reply.statusCode, reply.statusMessage]).toEqual([500, 'Internal Server Error'])
  expect(reply.json()).toMatchObject({ error: expect.any(String) })
  expect(reply.body).not.toContain('鍵')
  expect(given.replies.map(({ status, error }) => [status, error?.code])).toEqual([
    [500, 'internal'],
  ])
})

/** A request without the Metadata header of IMDS clients. */
const HOST_ONLY = { ...HEADERS, metadata: 'false' }
const PLATFORM = '/metadata/identity/getplatformmetadata'
const FORWARDED = { headers: { 'x-forwarded-for': '' } }
const EMPTY = { method: 'POST', payload: '' } as const
const LARGE = { method: 'POST', payload: 'x'.repeat(70_000) } as const

test.each([
  [TOKEN_URL, 400, 'host_not_allowed', { headers: { host: 'evil.example' } }],
  [TOKEN_URL, 400, 'forwarded_request', FORWARDED],
  ['/metadata/%zz', 400, 'invalid_path', {}],
  [`${TOKEN_URL}&x=5%`, 400, 'request_malformed', {}],
  ['/metadata/instance', 400, 'api_version_invalid', {}],
  ['/metadata/attested/document?api-version=2018-10-01', 404, 'not_found', {}],
  [PLATFORM, 403, 'imdsv2_not_supported', { headers: HOST_ONLY }],
  [TOKEN_URL, 405, 'method_not_allowed', EMPTY],
  ['/x', 413, 'request_too_large', LARGE],
])('rejects %s in JSON with %i and %s', async (url, status, code, more) => {
  const given = parts()
  const headers = { ...HEADERS, ...('headers' in more && more.headers) }
  const reply = await ask(given, { url, ...more, headers })
  expect(reply.statusCode).toBe(status)
  expect(reply.headers).toMatchObject({
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(reply.body.length),
    'x-wimds-error': code,
  })
  expect(reply.json()).toHaveProperty('error')
  expect(given.asked).toEqual([])
  expect(given.replies).toMatchObject([{ status, durationMs: expect.any(Number) }])
})

/** Returns the error code of the reply to a token request; undefined if the reply has the token. */
const askFor = async (of: number, host: string) =>
  (await roundTrip(of, request(TOKEN, { headers: { Host: host } }))).headers.get('x-wimds-error')

test('a process serves each pod on its own sockets, with its own identities, guard and limit of connections', async () => {
  const listen = createMetadataPort()
  const [one, other] = [
    parts(),
    parts({ identities: identitiesOf(), guard: createGuard(['b.test']) }),
  ]
  const target = [{ host: '127.0.0.1', port: 0 }]
  const listeners = [
    await listen(one.pod, target),
    await listen({ ...other.pod, maxConnections: 1 }, target),
  ]
  const [port = 0, otherPort = 0] = listeners.map(({ addresses }) => addresses[0]?.port)

  expect(await askFor(port, 'localhost')).toBeUndefined()
  expect(await askFor(port, 'b.test')).toBe('host_not_allowed')
  expect(await askFor(otherPort, 'b.test')).toBe('identity_not_found')
  expect(other.replies).toHaveLength(1)

  await using first = await openConnection(otherPort)
  await using unaffected = await openConnection(port)
  await using second = await openConnection(otherPort)
  await first.closed()
  expect([unaffected.isClosed(), second.isClosed()]).toEqual([false, false])
  for (const { close } of listeners) await close(0)
})
