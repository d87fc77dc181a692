/** What may go on to the real metadata service, and that nothing else ever does. */
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { describe, expect, test } from 'vitest'
import { metadataServer } from '../../src/server/app.ts'
import { passThroughMistake } from '../../src/metadata/pass-through-paths.ts'
import { passThrough } from '../../src/metadata/pass-through.ts'
import { listening } from '../fixtures/listening.ts'
import { parts } from '../fixtures/parts.ts'

/** A real service of which we see every request, behind a server that may pass on `prefixes`. */
async function behind(
  prefixes: readonly string[],
  answer: RequestListener = (_, reply) => reply.end('real'),
  limits: { timeoutMs?: number; maxBytes?: number } = {},
) {
  const seen: IncomingMessage[] = []
  const real = createServer((request, reply) => {
    seen.push(request)
    answer(request, reply)
  })
  const server = await listening(real)
  const { port } = server
  const target = { host: '127.0.0.1', port }
  const app = metadataServer(parts({ passThrough: passThrough({ prefixes, target, ...limits }) }))
  return {
    seen,
    port,
    get: (url: string, headers: Record<string, string> = {}, method: 'GET' | 'POST' = 'GET') =>
      app.inject({ method, url, headers: { metadata: 'true', ...headers } }),
    async [Symbol.asyncDispose]() {
      await app.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

test('passes an allowed path on with its query, and the answer back', async () => {
  await using world = await behind(['/metadata/loadbalancer'], (_, reply) => {
    reply.writeHead(404, { 'content-type': 'text/x-real', 'x-internal': '1', connection: 'close' })
    reply.end('no balancer')
  })
  const reply = await world.get('/metadata//loadbalancer?api-version=2020-10-01')
  expect(reply.statusCode).toBe(404)
  expect(reply.body).toBe('no balancer')
  expect(reply.headers).toMatchObject({ 'content-type': 'text/x-real' })
  expect(reply.headers).not.toHaveProperty('x-internal')
  expect(world.seen.map(({ url }) => url)).toEqual([
    '/metadata/loadbalancer?api-version=2020-10-01',
  ])
})

test('sends no header of the caller’s but the few that the service reads', async () => {
  await using world = await behind(['/metadata/instance'])
  await world.get('/metadata/instance/compute', {
    authorization: 'Bearer x',
    cookie: 'a=b',
    te: 'trailers',
  })
  expect(world.seen[0]?.headers).toEqual({
    metadata: 'true',
    host: '169.254.169.254',
    'user-agent': 'wimds-pass-through',
    connection: 'close',
  })
})

test('an allowed path takes the place of the document that is served without pass-through', async () => {
  await using world = await behind(['/metadata/instance'])
  expect((await world.get('/metadata/instance?api-version=2021-02-01')).body).toBe('real')
  expect((await world.get('/metadata/versions')).body).toContain('apiVersions')
})

describe('never passes on', () => {
  test.each([
    ['a path that is not listed', '/metadata/scheduledevents/x', 404],
    ['a longer name that begins like a listed one', '/metadata/instances', 404],
    ['a token path below a listed one', '/metadata/identity/oauth2/token/x?resource=a', 404],
    ['a token path in capitals', '/METADATA/Identity/oauth2/tokens', 404],
    ['a token path with doubled slashes', '/metadata//identity//oauth2//tokens', 404],
    ['a path with an escaped letter', '/metadata/%69dentity/oauth2/tokens', 400],
    ['a path that climbs', '/metadata/instance/../identity/oauth2/token', 400],
    ['AWS role credentials', '/latest/meta-data/iam/security-credentials/node', 404],
    ['GCP tokens', '/computeMetadata/v1/instance/service-accounts/default/token', 404],
  ])('%s', async (_, url, status) => {
    await using world = await behind(
      ['/metadata', '/latest/meta-data', '/computeMetadata/v1'].slice(
        url.includes('instances') || url.includes('scheduled') ? 1 : 0,
      ),
    )
    expect((await world.get(url)).statusCode).toBe(status)
    expect(world.seen).toEqual([])
  })

  test('another method than GET', async () => {
    await using world = await behind(['/latest/meta-data'])
    expect((await world.get('/latest/meta-data/zone', {}, 'POST')).statusCode).toBe(405)
    expect(world.seen).toEqual([])
  })

  test('a forwarded request', async () => {
    await using world = await behind(['/metadata/instance'])
    const reply = await world.get('/metadata/instance', { 'x-forwarded-for': '10.0.0.9' })
    expect(reply.statusCode).toBe(400)
    expect(world.seen).toEqual([])
  })
})

test('follows no redirect', async () => {
  await using world = await behind(['/metadata/instance'], (_, reply) => {
    reply.writeHead(302, { location: '/metadata/identity/oauth2/token' }).end()
  })
  const reply = await world.get('/metadata/instance')
  expect(reply.statusCode).toBe(302)
  expect(reply.headers).not.toHaveProperty('location')
  expect(world.seen).toHaveLength(1)
})

test.each<[string, RequestListener, object]>([
  ['is silent', () => {}, { timeoutMs: 50 }],
  ['answers without end', (_, reply) => void reply.write('a'.repeat(5000)), { maxBytes: 1000 }],
  ['hangs up', (request) => request.socket.destroy(), {}],
])('a service that %s is a temporary failure', async (_, answer, limits) => {
  await using world = await behind(['/metadata/instance'], answer, limits)
  const reply = await world.get('/metadata/instance')
  expect(reply.statusCode).toBe(503)
  expect(reply.headers).toHaveProperty('retry-after')
})

test('knows its own request again, so that a wrong redirect makes no loop', async () => {
  await using world = await behind(['/metadata/instance'])
  const reply = await world.get('/metadata/instance', { 'user-agent': 'wimds-pass-through' })
  expect(reply.statusCode).toBe(503)
  expect(reply.body).toContain('--pass-through')
  expect(world.seen).toEqual([])
})

test('is off without a prefix', async () => {
  await using world = await behind([])
  expect((await world.get('/metadata/loadbalancer')).statusCode).toBe(404)
  expect(world.seen).toEqual([])
})

test.each([
  ['/metadata/identity', 'identity'],
  ['/Metadata/Identity/info', 'identity'],
  ['metadata/instance', 'must be paths'],
  ['/', 'must be paths'],
  ['/metadata/%69dentity', 'must be paths'],
  ['/metadata/../metadata/instance', 'must be paths'],
  ['/metadata/.', 'must be paths'],
])('the prefix %s is a mistake', (prefix, reason) => {
  expect(passThroughMistake(prefix)).toContain(reason)
})

test('a prefix above a token path is none, since what is below stays refused', () => {
  expect(passThroughMistake('/metadata')).toBeUndefined()
})
