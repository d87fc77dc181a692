/** The webhook's servers on real ports: what they speak, answer, refuse and count. */
import { once } from 'node:events'
import { Agent, request as httpsRequest } from 'node:https'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connections } from '../../../src/server/connections.ts'
import { MalformedReview, type Reviewed } from '../../../src/kubernetes/webhook/admission.ts'
import { createWebhookMetrics } from '../../../src/kubernetes/webhook/metrics.ts'
import {
  type ReviewEvent,
  reviewServer,
  webhookAdminServer,
} from '../../../src/kubernetes/webhook/server.ts'
import { createCertificateAuthority } from '../../../src/lib/x509.ts'
import { openConnection } from '../../fixtures/connection.ts'
import { listening, portOf } from '../../fixtures/listening.ts'

const REVIEWED: Reviewed = { outcome: 'injected', review: { response: { allowed: true } } }

const metrics = createWebhookMetrics(() => 1_800_000_000_500)
const bodies: unknown[] = []
const events: ReviewEvent[] = []
const failures: unknown[] = []
let answer = (): Promise<Reviewed> => Promise.resolve(REVIEWED)
let isEnding = false
let unready: string[] = []
const server = reviewServer({
  review: (body) => {
    bodies.push(body)
    return answer()
  },
  onReview: (event) => {
    events.push(event)
    metrics.onReview(event)
  },
  onFailure: (error) => failures.push(error),
  isEnding: () => isEnding,
  watch: connections(128).watch,
})
const admin = webhookAdminServer({
  unready: () => unready,
  scrape: metrics.scrape,
  watch: connections(64).watch,
})
let agent: Agent
const PATH = '/mutate?timeout=5s'

beforeAll(async () => {
  const authority = await createCertificateAuthority()
  const { certPem, keyPem } = await authority.issue({ names: ['wimds.wimds.svc'] })
  server.setSecureContext({ cert: certPem, key: keyPem, minVersion: 'TLSv1.3' })
  for (const each of [server, admin]) {
    each.listen(0, '127.0.0.1')
    await once(each, 'listening')
  }
  agent = new Agent({ ca: authority.caPem, servername: 'wimds.wimds.svc' })
})
afterAll(() => {
  agent.destroy()
  server.close()
  admin.close()
})

async function post(
  body: string,
  options: { path?: string; method?: string; maxVersion?: 'TLSv1.2'; agent?: Agent } = {},
) {
  const { path = PATH, method = 'POST', ...tls } = options
  const sent = httpsRequest({
    host: '127.0.0.1',
    port: portOf(server),
    agent,
    path,
    method,
    ...tls,
  })
  sent.end(body)
  const [reply] = await once(sent, 'response')
  return { status: reply.statusCode, headers: reply.headers, body: await text(reply) }
}

test('a review is answered as JSON', async () => {
  const { status, headers, body } = await post('{"a":1}')
  expect(status).toBe(200)
  expect(headers['content-type']).toBe('application/json')
  expect(JSON.parse(body)).toEqual(REVIEWED.review)
  expect(bodies.at(-1)).toEqual({ a: 1 })
})

test('a refusal is told with the pod that it is about', async () => {
  const told = {
    outcome: 'rejected' as const,
    message: 'no',
    subject: { namespace: 'shop', pod: 'orders-0' },
  }
  answer = () => Promise.resolve({ ...told, review: {} })
  await post('{}')
  answer = () => Promise.resolve(REVIEWED)
  expect(events.at(-1)).toEqual({ ...told, durationMs: expect.any(Number) })
})

test.each([
  ['another path', '{}', { path: '/validate' }, 404],
  ['another method', '', { method: 'GET' }, 405],
  ['a body that is not JSON', '{', {}, 400],
  ['a body above 3 MiB', `"${'a'.repeat(3 * 1024 * 1024)}"`, {}, 400],
])('%s is refused', async (_, body, options, status) => {
  expect((await post(body, options)).status).toBe(status)
})

test('a malformed review is told what is wrong', async () => {
  answer = () => Promise.reject(new MalformedReview('no uid'))
  expect(await post('{}')).toMatchObject({ status: 400, body: '{"error":"no uid"}' })
})

test('an unexpected failure says nothing of its cause, but to the log', async () => {
  const cause = new Error('hunter2')
  answer = () => Promise.reject(cause)
  const { status, body } = await post('{}')
  expect(status).toBe(500)
  expect(body).not.toContain('hunter2')
  expect(failures).toEqual([cause])
})

test('TLS 1.2 is refused', async () => {
  await expect(post('{}', { maxVersion: 'TLSv1.2' })).rejects.toThrow(/protocol version|EPROTO/i)
})

test('a server that is ending sends its callers elsewhere', async () => {
  answer = () => Promise.resolve(REVIEWED)
  isEnding = true
  expect((await post('{}')).headers.connection).toBe('close')
  isEnding = false
})

const adminGet = (path: string) => fetch(`http://127.0.0.1:${portOf(admin)}${path}`)

test('is ready when there is no reason not to be, and alive in any case', async () => {
  unready = ['no certificate yet']
  const reply = await adminGet('/readyz')
  expect(reply.status).toBe(503)
  expect(await reply.json()).toEqual({ ready: false, reasons: unready })
  expect((await adminGet('/healthz')).status).toBe(200)
  unready = []
  expect((await adminGet('/readyz')).status).toBe(200)
  expect((await adminGet('/')).status).toBe(404)
})

test('counts reviews by outcome, and tells when the certificate ends', async () => {
  const reply = await adminGet('/metrics')
  expect(reply.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  const exposed = await reply.text()
  expect(exposed).toContain('wimds_webhook_review_duration_seconds_count{outcome="injected"} 2')
  expect(exposed).toContain('wimds_webhook_review_duration_seconds_count{outcome="malformed"} 3')
  expect(exposed).toContain('wimds_webhook_certificate_expiry_timestamp_seconds 1800000000')
})

test('a caller who hangs up is no failure', async () => {
  const sent = httpsRequest({
    host: '127.0.0.1',
    port: portOf(server),
    agent,
    path: PATH,
    method: 'POST',
  })
  const closed = new Promise((resolve) => sent.on('close', resolve).on('error', () => {}))
  sent.write('{"half":')
  await once(server, 'request')
  sent.destroy()
  await closed
  answer = () => Promise.resolve(REVIEWED)
  await expect.poll(() => post('{}')).toMatchObject({ status: 200 })
  expect(failures).toHaveLength(1)
})

test('the request after one that is too large is answered on the same connection', async () => {
  answer = () => Promise.resolve(REVIEWED)
  const one = new Agent({ ...agent.options, keepAlive: true, maxSockets: 1 })
  const first = await post(' '.repeat(4_000_000), { agent: one })
  const second = await post('{}', { agent: one })
  one.destroy()
  expect([first.status, second.status]).toEqual([400, 200])
})

test('eighty reviews of 3 MiB that are left half-sent leave room for the API server', async () => {
  answer = () => Promise.resolve(REVIEWED)
  const half = Buffer.alloc(3 * 1024 * 1024 - 1, ' ')
  const statuses: (number | undefined)[] = []
  const halves = Array.from({ length: 80 }, () => {
    const headers = { 'Content-Length': half.length + 1 }
    const options = { host: '127.0.0.1', port: portOf(server), path: PATH, method: 'POST', headers }
    const sent = httpsRequest({ ...options, ca: agent.options.ca, servername: 'wimds.wimds.svc' })
    sent.on('error', () => {})
    sent.on('response', (reply) => {
      statuses.push(reply.statusCode)
      expect(reply.headers).toMatchObject({ 'retry-after': '1', connection: 'close' })
      reply.resume()
    })
    sent.write(half)
    return sent
  })
  try {
    await expect
      .poll(() => halves.filter(({ destroyed }) => destroyed).length, { timeout: 15_000 })
      .toBe(78)
    expect(statuses).toEqual(statuses.map(() => 503))
    expect((await post('{}')).status).toBe(200)
  } finally {
    for (const sent of halves) sent.destroy()
  }
})

test('both servers bound their connections', async () => {
  const parts = { review: () => Promise.resolve(REVIEWED), onReview: () => {}, onFailure: () => {} }
  const bounded = [
    reviewServer({ ...parts, isEnding: () => false, watch: connections(2).watch }),
    webhookAdminServer({
      unready: () => [],
      scrape: metrics.scrape,
      watch: connections(2).watch,
    }),
  ]
  for (const each of bounded) {
    await using stack = new AsyncDisposableStack()
    const { port } = stack.use(await listening(each))
    const open = async () => stack.use(await openConnection(port))
    const idle = [await open(), await open(), await open()]
    expect(await idle[0]?.closed()).toBe('')
    expect(idle.map((connection) => connection.isClosed())).toEqual([true, false, false])
  }
})
