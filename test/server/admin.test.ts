import { describe, expect, test } from 'vitest'
import { createAdminApp, isFromLoopback } from '../../src/server/admin.ts'
import { createLogger, type ProcessLog } from '../../src/telemetry/logger.ts'
import type { ReadinessState } from '../../src/telemetry/readiness.ts'
import { aStatus, aTrafficSample } from '../fixtures/status.ts'

function parts({
  readiness = { ready: true, reasons: [] },
  log = createLogger({ level: 'info', format: 'json', out: { write: () => {} } }),
}: { readiness?: ReadinessState; log?: ProcessLog } = {}) {
  return {
    readiness: () => readiness,
    scrape: () =>
      Promise.resolve({ contentType: 'text/plain; version=0.0.4', body: 'wimds_ready 1\n' }),
    readTraffic: () => aTrafficSample(1, 5000),
    document: aStatus,
    log,
  }
}

const LOCAL_PATHS = ['/', '/status', '/status.json', '/log-level']
const local = { host: 'localhost:9169' }

const put = (payload: string) =>
  ({ method: 'PUT', url: '/log-level', payload, headers: local }) as const

describe('from any address', () => {
  const anywhere = { remoteAddress: '10.0.0.7', headers: { host: '10.1.2.3:9169' } }

  test('/healthz returns 200', async () => {
    await using app = createAdminApp(parts())
    expect((await app.inject({ url: '/healthz', ...anywhere })).statusCode).toBe(200)
  })

  test.each([
    [{ ready: true, reasons: [] }, 200],
    [{ ready: false, reasons: ['the projected token has not been read yet'] }, 503],
  ])('/readyz returns %j with %i', async (body, status) => {
    const reasons = body.reasons.map((summary) => ({ summary, file: '/token' }))
    await using app = createAdminApp(parts({ readiness: { ...body, reasons } }))
    const reply = await app.inject({ url: '/readyz', ...anywhere })
    expect(reply.statusCode).toBe(status)
    expect(reply.json()).toEqual(body)
  })

  test('/metrics returns the exposition with its content type', async () => {
    await using app = createAdminApp(parts())
    const reply = await app.inject({ url: '/metrics', ...anywhere })
    expect(reply.body).toBe('wimds_ready 1\n')
    expect(reply.headers['content-type']).toBe('text/plain; version=0.0.4')
  })
})

test.each([
  ['GET', '/foo'],
  ['GET', '/metadata/identity/oauth2/token?resource=x'],
  ['POST', '/log-level'],
] as const)('%s %s returns 404 with the paths that exist', async (method, url) => {
  await using app = createAdminApp(parts())
  const reply = await app.inject({ method, url, headers: local })
  expect(reply.statusCode).toBe(404)
  const { error } = reply.json<{ error: string }>()
  const named = error.match(/\/[\w.-]+/g) ?? []
  expect(named).toEqual([
    '/healthz',
    '/readyz',
    '/metrics',
    '/status',
    '/status.json',
    '/log-level',
  ])
  for (const path of named) {
    expect((await app.inject({ url: path, headers: local })).statusCode).toBe(200)
  }
})

describe('from loopback only', () => {
  test.each(LOCAL_PATHS)('%s rejects a peer on the network', async (url) => {
    await using app = createAdminApp(parts())
    const reply = await app.inject({ url, remoteAddress: '10.0.0.7', headers: local })
    expect(reply.statusCode).toBe(403)
    expect(reply.json()).toEqual({ error: expect.stringContaining('port-forward') })
  })

  test.each([
    ['a name that resolves to loopback', { host: 'rebound.example:9169' }],
    ['the address of the pod', { host: '10.1.2.3:9169' }],
    ['loopback as user name', { host: 'localhost@example.com' }],
    ['a name that begins with localhost', { host: 'localhost.example' }],
    ['X-Forwarded-For', { ...local, 'x-forwarded-for': '10.0.0.7' }],
    ['Forwarded', { ...local, forwarded: 'for=10.0.0.7' }],
  ])('the status rejects a loopback peer whose request has %s', async (_, headers) => {
    await using app = createAdminApp(parts())
    expect((await app.inject({ url: '/status.json', headers })).statusCode).toBe(403)
  })

  test.each(['127.0.0.1', '::1', '::ffff:127.0.0.1'])(
    'the status accepts the peer %s',
    async (remoteAddress) => {
      await using app = createAdminApp(parts())
      const reply = await app.inject({ url: '/status.json', remoteAddress, headers: local })
      expect(reply.statusCode).toBe(200)
      expect(reply.json()).toEqual(aStatus())
      expect(reply.headers['cache-control']).toBe('no-store')
    },
  )

  test.each([
    ['127.0.0.1', '127.0.0.1', true],
    ['::ffff:127.0.0.1', '::ffff:127.0.0.5', true],
    ['::1', '::1', true],
    // A mesh delivers the requests of other pods from this address.
    ['127.0.0.6', '127.0.0.1', false],
    ['::ffff:127.0.0.6', '::ffff:127.0.0.1', false],
    ['127.0.0.1', '10.1.2.3', false],
    ['::1', 'fd00::1', false],
    ['10.0.0.7', '127.0.0.1', false],
  ])('the peer %s at %s is loopback: %s', (remoteAddress, localAddress, expected) => {
    expect(isFromLoopback({ socket: { remoteAddress, localAddress }, headers: local })).toBe(
      expected,
    )
  })

  test('the status page allows only its own style and script', async () => {
    await using app = createAdminApp(parts())
    const reply = await app.inject({ url: '/status', headers: local })
    expect(reply.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': expect.stringMatching(
        /^default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
      ),
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    })
  })
})

describe('/log-level', () => {
  test.each(['debug', '"debug"', 'debug\n'])(
    'changes the level for the body %j',
    async (payload) => {
      const given = parts()
      await using app = createAdminApp(given)
      expect((await app.inject(put(payload))).json()).toEqual({ level: 'debug' })
      expect(given.log.level()).toBe('debug')
      expect((await app.inject({ url: '/log-level', headers: local })).json()).toEqual({
        level: 'debug',
      })
    },
  )

  test.each(['', 'verbose', '{"level":"debug"}'])(
    'returns 400 for the body %j',
    async (payload) => {
      const given = parts()
      await using app = createAdminApp(given)
      expect((await app.inject(put(payload))).statusCode).toBe(400)
      expect(given.log.level()).toBe('info')
    },
  )

  test('rejects a peer on the network', async () => {
    const given = parts()
    await using app = createAdminApp(given)
    const reply = await app.inject({ ...put('debug'), remoteAddress: '10.0.0.7' })
    expect(reply.statusCode).toBe(403)
    expect(given.log.level()).toBe('info')
  })
})
