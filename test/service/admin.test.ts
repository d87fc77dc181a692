/** The admin port, on real connections. */
import { once } from 'node:events'
import { request as sendRequest } from 'node:http'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { AdminParts } from '../../src/service/admin.ts'
import { createStatusRoutes } from '../../src/broker/status-page/routes.ts'
import { openAdminPort } from '../fixtures/admin.ts'
import { type Connection, openConnection, request } from '../fixtures/connection.ts'
import { aStatus } from '../fixtures/status.ts'

interface Sent {
  readonly path: string
  readonly method?: string
  readonly headers?: Record<string, string>
  /** The address that the request comes from. */
  readonly from?: string
}

/** Opens an admin port until the end of the test, and returns the function that sends it a request. */
async function start(given: Partial<AdminParts> = {}, host = '127.0.0.1') {
  const parts: AdminParts = {
    loopbackRoutes: createStatusRoutes(aStatus),
    readiness: () => ({ ready: true, reasons: [] }),
    scrape: () => Promise.resolve('up 1\n'),
    ...given,
  }
  const server = await openAdminPort(parts, host)
  onTestFinished(() => server[Symbol.asyncDispose]())
  const { port } = server
  const send = async ({ path, method = 'GET', headers, from }: Sent) => {
    const sent = sendRequest({
      host: host === '::' ? '127.0.0.1' : host,
      port,
      path,
      method,
      agent: false,
      headers: { host: `localhost:${port}`, ...headers },
      ...(from !== undefined && { localAddress: from, ...(from === '::1' && { host: '::1' }) }),
    })
    sent.end()
    const [reply] = await once(sent, 'response')
    const content = await text(reply)
    return {
      status: Number(reply.statusCode),
      headers: reply.headers,
      text: content,
      json: (): unknown => JSON.parse(content),
    }
  }
  return { port, send }
}

const anywhere = { from: '127.0.0.6', headers: { host: '10.1.2.3:9169' } }

test('probes and Prometheus are answered from any address', async () => {
  const { send } = await start()
  expect((await send({ path: '/healthz?verbose', ...anywhere })).status).toBe(200)
  const metrics = await send({ path: '/metrics', ...anywhere })
  expect(metrics.text).toBe('up 1\n')
  expect(metrics.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
  const head = await send({ path: '/readyz', method: 'HEAD', ...anywhere })
  expect(head).toMatchObject({ status: 200, text: '' })
})

test.each([
  [{ ready: true, reasons: [] }, 200],
  [{ ready: false, reasons: ['the projected token has not been read yet'] }, 503],
])('/readyz returns %j with %i from any address', async (readiness, status) => {
  const { send } = await start({ readiness: () => readiness })
  const reply = await send({ path: '/readyz', ...anywhere })
  expect(reply.status).toBe(status)
  expect(reply.json()).toEqual(readiness)
})

test('an error is answered with its message, and the next request as usual', async () => {
  let fails = true
  const { send } = await start({
    scrape: () =>
      fails ? Promise.reject(new Error('a metric has no value')) : Promise.resolve(''),
  })
  const reply = await send({ path: '/metrics' })
  expect(reply).toMatchObject({ status: 500, text: '{"error":"a metric has no value"}' })
  fails = false
  expect((await send({ path: '/metrics' })).status).toBe(200)
})

/** Opens a port whose scrapes wait until `release`. Its connections stay open until the end of the test. */
async function startBusy() {
  const { promise: exposition, resolve } = Promise.withResolvers<string>()
  const { port } = await start({ scrape: () => exposition })
  const stack = new AsyncDisposableStack()
  onTestFinished(() => stack.disposeAsync())
  const open = async (localAddress: string, path: string) => {
    const connection = stack.use(await openConnection(port, { localAddress }))
    connection.write(request(path))
    return connection
  }
  const openBusy = async (count: number) => {
    const busy: Connection[] = []
    for (let index = 0; index < count; index += 1) busy.push(await open('127.0.0.1', '/metrics'))
    return busy
  }
  return { open, openBusy, release: () => resolve('up 1\n') }
}

describe('64 connections of 127.0.0.1 wait for a scrape', () => {
  test.each(['127.0.0.1', '127.0.0.2'])('and every probe from %s is answered', async (from) => {
    const { open, openBusy } = await startBusy()
    await openBusy(64)
    for (let time = 0; time < 15; time += 1) {
      const probe = await open(from, '/healthz')
      expect((await probe.reply()).status).toBe(200)
    }
  })

  test('and further ones close the oldest of them, but no connection of another address', async () => {
    const { open, openBusy, release } = await startBusy()
    const scraper = await open('127.0.0.2', '/metrics')
    const probe = await open('127.0.0.3', '/healthz')
    expect((await probe.reply()).status).toBe(200)
    const busy = await openBusy(64 + 30)
    expect(await busy[31]?.closed()).toBe('')
    expect(busy.findIndex((connection) => !connection.isClosed())).toBe(32)
    probe.write(request('/readyz'))
    expect((await probe.reply()).status).toBe(200)
    release()
    expect((await scraper.reply()).body).toBe('up 1\n')
  })
})

test.each([
  ['GET', '/foo'],
  ['POST', '/status'],
] as const)('%s %s returns 404 with the paths that exist', async (method, path) => {
  const { send } = await start()
  const reply = await send({ method, path })
  expect(reply.status).toBe(404)
  const named = reply.text.match(/\/[\w.-]+/g) ?? []
  expect(named).toEqual(['/healthz', '/readyz', '/metrics', '/status', '/status.json'])
  for (const each of named) expect((await send({ path: each })).status).toBe(200)
})

describe('from loopback only', () => {
  test.each<[string, string, Partial<Sent>]>([
    // A mesh delivers the requests of other pods from this address.
    ['another peer', '127.0.0.1', { from: '127.0.0.6' }],
    ['another peer at a dual-stack socket', '::', { from: '127.0.0.6' }],
    [
      'a name that resolves to loopback',
      '127.0.0.1',
      { headers: { host: 'rebound.example:9169' } },
    ],
    ['a name that begins with localhost', '127.0.0.1', { headers: { host: 'localhost.example' } }],
    ['X-Forwarded-For', '127.0.0.1', { headers: { 'x-forwarded-for': '10.0.0.7' } }],
    ['Forwarded', '127.0.0.1', { headers: { forwarded: 'for=10.0.0.7' } }],
  ])('the status rejects %s', async (_, host, sent) => {
    const { send } = await start({}, host)
    const reply = await send({ path: '/status.json', ...sent })
    expect(reply.status).toBe(403)
    expect(reply.headers['cache-control']).toBe('no-store')
    expect(reply.json()).toEqual({ error: expect.stringContaining('port-forward') })
  })

  test.each(['127.0.0.1', '::1'])('the status accepts the peer %s', async (from) => {
    const { send } = await start({}, '::')
    const reply = await send({ path: '/status.json', from })
    expect(reply.status).toBe(200)
    expect(reply.json()).toEqual(aStatus())
    expect(reply.headers['cache-control']).toBe('no-store')
  })

  test('/ redirects to the status page, which is reloaded if the query says so', async () => {
    const { send } = await start()
    const redirect = await send({ path: '/' })
    expect(redirect).toMatchObject({ status: 302, headers: { location: '/status' } })
    expect((await send({ path: '/status?pod=refresh' })).headers['refresh']).toBeUndefined()
    expect((await send({ path: '/status?refresh' })).headers['refresh']).toBe('10')
  })

  test('the status page allows only its own style', async () => {
    const { send } = await start()
    const reply = await send({ path: '/status' })
    expect(reply.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': expect.stringMatching(
        /^default-src 'none'; style-src 'sha256-[^']+'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
      ),
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    })
  })
})
