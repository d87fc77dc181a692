/** The webhook's server on a real port. */
import { once } from 'node:events'
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https'
import { text } from 'node:stream/consumers'
import { afterAll, beforeEach, expect, test } from 'vitest'
import type { Decision } from '../../../src/injection/webhook/admission.ts'
import { Overloaded } from '../../../src/injection/webhook/review-queue.ts'
import {
  createReviewServer,
  type ReviewEvent,
  serveCertificate,
} from '../../../src/injection/webhook/server.ts'
import { createCertificateAuthority } from '../../../src/lib/x509.ts'
import { openConnection } from '../../fixtures/connection.ts'
import { listening } from '../../fixtures/listening.ts'

const ADMITTED: Decision = { outcome: 'injected', review: { response: { allowed: true } } }

const events: ReviewEvent[] = []
let answer: () => Promise<Decision>
const log: object[] = []
const server = createReviewServer({
  reviews: {
    '/mutate': async (read) => {
      await read(() => {})
      return await answer()
    },
  },
  onReview: (event) => events.push(event),
  log: { warn: (event, fields) => log.push({ event, ...fields }) },
  draining: new AbortController().signal,
})
beforeEach(() => {
  answer = () => Promise.resolve(ADMITTED)
  log.length = 0
})
const PATH = '/mutate?timeout=5s'

const authority = await createCertificateAuthority()
serveCertificate(server, await authority.issue({ names: ['wimds.wimds.svc'] }))
const served = await listening(server)
const agent = new Agent({ ca: authority.caPem, servername: 'wimds.wimds.svc' })
afterAll(async () => {
  agent.destroy()
  await served[Symbol.asyncDispose]()
})

async function post(body: string, options: RequestOptions = {}) {
  const usual = { host: '127.0.0.1', port: served.port, agent, path: PATH, method: 'POST' }
  const sent = httpsRequest({ ...usual, ...options })
  sent.end(body)
  const [reply] = await once(sent, 'response')
  return { status: reply.statusCode, headers: reply.headers, body: await text(reply) }
}

test('counts a rejection, and logs it with its pod', async () => {
  const decision = {
    outcome: 'rejected' as const,
    message: `no ${'aB3'.repeat(20)} ${'x '.repeat(500)}`,
    subject: { namespace: 'shop', pod: 'orders-0' },
  }
  answer = () => Promise.resolve({ ...decision, review: {} })
  await post('{}')
  expect(events.at(-1)).toEqual({ ...decision, durationMs: expect.any(Number) })
  const { outcome, subject } = decision
  // The log redacts a text that may be a token, and cuts the message.
  const message = decision.message.replace(/\w{60}/, '[redacted]').slice(0, 500)
  expect(log).toEqual([{ event: 'pod_rejected', outcome, ...subject, message }])
})

test.each([
  ['another path', { path: '/validate' }, 404],
  ['another method', { method: 'GET' }, 405],
])('rejects %s', async (_, options, status) => {
  expect((await post('', options)).status).toBe(status)
})

test('reports the cause of an unexpected error, and does not send it', async () => {
  const cause = new Error('hunter2')
  answer = () => Promise.reject(cause)
  const { status, body } = await post('{}')
  expect(status).toBe(500)
  expect(body).not.toContain('hunter2')
  expect(log).toEqual([{ event: 'webhook_error', message: cause.message }])
})

test('answers on the same connection after a body that is too large', async () => {
  const one = new Agent({ ...agent.options, keepAlive: true, maxSockets: 1 })
  const first = await post(' '.repeat(4_000_000), { agent: one })
  const second = await post('{}', { agent: one })
  one.destroy()
  expect([first.status, second.status]).toEqual([400, 200])
})

test('asks the caller to retry on another connection if there is no room for a review', async () => {
  answer = () => Promise.reject(new Overloaded('no room'))
  const { status, headers } = await post('{}')
  expect(status).toBe(503)
  expect(headers).toMatchObject({ 'retry-after': '1', connection: 'close' })
})

test('limits the number of connections', async () => {
  await using stack = new AsyncDisposableStack()
  const { port } = stack.use(await listening(createReviewServer({ ...PARTS, maxConnections: 2 })))
  const open = async () => stack.use(await openConnection(port))
  const idle = [await open(), await open(), await open()]
  expect(await idle[0]?.closed()).toBe('')
  expect(idle.map((connection) => connection.isClosed())).toEqual([true, false, false])
})

test('answers a new caller while all connections are busy, and closes others after their replies', async () => {
  const gate = Promise.withResolvers<Decision>()
  let started = 0
  const review = () => {
    started += 1
    return gate.promise
  }
  const parts = { ...PARTS, reviews: { '/mutate': review }, maxConnections: 2 }
  const guarded = createReviewServer(parts)
  serveCertificate(guarded, await authority.issue({ names: ['wimds.wimds.svc'] }))
  await using stack = new AsyncDisposableStack()
  const { port } = stack.use(await listening(guarded))
  const tls = { ca: authority.caPem, servername: 'wimds.wimds.svc' }
  const parallel = stack.adopt(new Agent({ ...tls, keepAlive: true }), (each) => each.destroy())
  const replies: Promise<string>[] = []
  for (let count = 1; count <= 5; count += 1) {
    const options = { host: '127.0.0.1', port, path: PATH, method: 'POST', agent: parallel }
    const sent = httpsRequest(options).end('{}')
    const reply = once(sent, 'response').then(
      ([{ statusCode, headers }]) => `${statusCode} ${headers.connection}`,
      () => 'closed',
    )
    replies.push(reply)
    await expect.poll(() => started).toBe(count)
  }
  gate.resolve(ADMITTED)
  // The last three arrived above the limit. Two ended the first and the second connection; at twice the limit one closed the third.
  const kept = '200 keep-alive'
  expect(await Promise.all(replies)).toEqual(['200 close', '200 close', 'closed', kept, kept])
})

const PARTS = {
  reviews: { '/mutate': () => Promise.resolve(ADMITTED) },
  onReview: () => {},
  log: { warn: () => {} },
  draining: new AbortController().signal,
}
