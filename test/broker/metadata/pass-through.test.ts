/** Pass-through forwards only listed requests to the real metadata service. */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { createMetadataApp } from '../../../src/broker/server/app.ts'
import { createPassThrough, findPrefixProblem } from '../../../src/broker/metadata/pass-through.ts'
import { listening } from '../../fixtures/listening.ts'
import { parts } from '../../fixtures/parts.ts'

/** Starts a real service that records requests, behind a server that forwards `prefixes`. */
async function startBehind(
  prefixes: readonly string[],
  answer: RequestListener = (_, reply) => reply.end('real'),
  limits: { timeoutMs?: number; maxBytes?: number } = {},
) {
  const seen: IncomingMessage[] = []
  const real = createServer((received, reply) => {
    seen.push(received)
    answer(received, reply)
  })
  const server = await listening(real)
  const { port } = server
  const target = { host: '127.0.0.1', port }
  const passThrough = createPassThrough({ prefixes, target, ...limits })
  const { pod, clock } = parts({ passThrough })
  const app = createMetadataApp(() => pod, clock)
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

test('forwards an allowed path with its query and the headers that the service reads, and returns the reply', async () => {
  await using simulator = await startBehind(['/metadata/loadbalancer'], (_, reply) => {
    const headers = { 'content-type': 'text/x-real', 'retry-after': '7', 'x-internal': '1' }
    // A redirect is not followed.
    reply.writeHead(302, { ...headers, location: '/metadata/identity/oauth2/token' })
    reply.end('no balancer')
  })
  const reply = await simulator.get('/metadata//loadbalancer?api-version=2020-10-01', {
    authorization: 'Bearer x',
    cookie: 'a=b',
    te: 'trailers',
  })
  expect(reply.statusCode).toBe(302)
  expect(reply.body).toBe('no balancer')
  expect(reply.headers).toMatchObject({ 'content-type': 'text/x-real', 'retry-after': '7' })
  expect(reply.headers).not.toHaveProperty('x-internal')
  expect(reply.headers).not.toHaveProperty('location')
  expect(simulator.seen.map(({ url }) => url)).toEqual([
    '/metadata/loadbalancer?api-version=2020-10-01',
  ])
  expect(simulator.seen[0]?.headers).toEqual({
    metadata: 'true',
    host: '169.254.169.254',
    'user-agent': 'wimds-pass-through',
    connection: 'close',
  })
})

test('bounds the requests that wait for the real service', async () => {
  const replies: ServerResponse[] = []
  await using simulator = await startBehind(['/metadata/instance'], (_, reply) =>
    replies.push(reply),
  )
  const waiting = Array.from({ length: 16 }, () => simulator.get('/metadata/instance'))
  await expect.poll(() => replies.length).toBe(16)
  const rejected = await simulator.get('/metadata/instance')
  expect(rejected.statusCode).toBe(503)
  expect(rejected.headers['x-wimds-error']).toBe('overloaded')
  for (const reply of replies) reply.end('real')
  expect((await Promise.all(waiting)).map(({ statusCode }) => statusCode)).toEqual(
    Array(16).fill(200),
  )
  const next = simulator.get('/metadata/instance')
  await expect.poll(() => replies.length).toBe(17)
  replies.at(-1)?.end('real')
  expect((await next).statusCode).toBe(200)
})

test('forwards a listed path below a document, and answers the rest of the document itself', async () => {
  await using simulator = await startBehind(['/metadata/instance/compute/vmId'])
  const version = '?api-version=2021-02-01'
  expect((await simulator.get(`/metadata/instance/compute/vmId${version}&format=text`)).body).toBe(
    'real',
  )
  const compute = await simulator.get(`/metadata/instance/compute${version}`)
  expect(compute.statusCode).toBe(403)
  expect(simulator.seen).toHaveLength(1)
})

const PARAMETER = '/metadata/instance/..;/identity/oauth2/token?api-version=2021-02-01'
const NARROW = ['/metadata/instance']
const WIDE = ['/metadata/instance', '/metadata', '/latest', '/2021-01-03', '/computeMetadata/v1']

describe('does not forward', () => {
  test.each([
    ['a path that is not listed', '/metadata/scheduledevents/x', 404, NARROW],
    ['a path that has a listed one as a mere prefix', '/metadata/instances', 404, NARROW],
    ['a token path', '/metadata/identity/oauth2/token/x?resource=a', 404, WIDE],
    ['a path with an escaped letter', '/metadata/%69dentity/oauth2/tokens', 400, WIDE],
    ['a dot segment', '/metadata/instance/../identity/oauth2/token', 400, WIDE],
    ['a path with a parameter', PARAMETER, 403, WIDE],
    ['AWS role credentials', '/latest/meta-data/iam/security-credentials/node', 404, WIDE],
    ['GCP tokens', '/computeMetadata/v1/instance/service-accounts/default/token', 404, WIDE],
  ])('%s', async (_, url, status, prefixes) => {
    await using simulator = await startBehind(prefixes)
    expect((await simulator.get(url)).statusCode).toBe(status)
    expect(simulator.seen).toEqual([])
  })

  test('a request by another method than GET, from a proxy, or from itself, which would be a loop', async () => {
    const path = '/latest/meta-data/placement/region'
    await using simulator = await startBehind(['/latest/meta-data/placement'])
    expect((await simulator.get(path, {}, 'POST')).statusCode).toBe(405)
    expect((await simulator.get(path, { 'x-forwarded-for': '10.0.0.9' })).statusCode).toBe(400)
    const looped = await simulator.get(path, { 'user-agent': 'wimds-pass-through' })
    expect([looped.statusCode, looped.headers['x-wimds-error']]).toEqual([
      503,
      'pass_through_failed',
    ])
    expect(simulator.seen).toEqual([])
  })
})

test.each([
  '/metadata',
  '/Metadata/Identity/info',
  '/metadata/attested',
  '/latest/meta-data/iam',
  '/computeMetadata/v1/instance/attributes',
  '/metadata/instance;x',
  'metadata/instance',
  '/metadata/%69nstance',
  '/metadata/../metadata/instance',
])('rejects the prefix %s', (prefix) => {
  expect(findPrefixProblem(prefix)).toBeDefined()
})

test.each(['/Metadata/LoadBalancer/', '/computeMetadata/v1/instance/zone'])(
  'accepts the prefix %s',
  (prefix) => {
    expect(findPrefixProblem(prefix)).toBeUndefined()
  },
)

const PARTIAL = 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"a":"partial'
const write = (bytes: string) => (socket: Socket) => void socket.write(bytes)
const NEVER = 600_000

test.each<[string, (socket: Socket) => void, number]>([
  ['a status above 599', write('HTTP/1.1 999 X\r\nContent-Length: 2\r\n\r\nhi'), NEVER],
  ['an upgrade', write('HTTP/1.1 101 X\r\nUpgrade: a\r\nConnection: Upgrade\r\n\r\nxx'), NEVER],
  ['silence', () => {}, 50],
  ['a body above the limit', write(PARTIAL + 'a'.repeat(5000)), NEVER],
  ['a reset', (socket) => void socket.write(PARTIAL, () => socket.resetAndDestroy()), 200],
])('replies 503 to %s with a time limit of %i ms', async (_, answer, timeoutMs) => {
  const prefixes = ['/metadata/loadbalancer']
  await using real = await startBehind(prefixes, ({ socket }) => answer(socket), {
    timeoutMs,
    maxBytes: 1000,
  })
  const { statusCode, headers } = await real.get('/metadata/loadbalancer')
  expect(statusCode).toBe(503)
  expect(headers).toMatchObject({
    'x-wimds-error': 'pass_through_failed',
    'retry-after': expect.any(String),
  })
})
