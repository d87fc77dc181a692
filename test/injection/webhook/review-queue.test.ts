/** The bounds on the bodies of reviews, over real connections. */
import { createServer } from 'node:http'
import { afterAll, beforeEach, expect, test } from 'vitest'
import {
  createReviewQueue,
  MalformedReview,
  Overloaded,
  type ReadReview,
} from '../../../src/injection/webhook/review-queue.ts'
import { type Connection, openConnection, request } from '../../fixtures/connection.ts'
import { listening } from '../../fixtures/listening.ts'

const KIB = 1024
const LIMITS = { maxBytes: 128 * KIB, maxTotalBytes: 320 * KIB, maxValues: 1000 }
const receiveReview = createReviewQueue(LIMITS)
const echo = (read: ReadReview) => read((body) => JSON.stringify(body))
let decide: (read: ReadReview) => Promise<string>

const server = createServer((incoming, response) => {
  receiveReview(incoming, response)
    .then(async ({ read, reply }) => reply(await decide(read)))
    .catch((error: unknown) => {
      response.statusCode = error instanceof Overloaded ? 503 : 400
      response.end(error instanceof MalformedReview ? error.message : undefined)
    })
})
const { port, [Symbol.asyncDispose]: close } = await listening(server)
afterAll(close)
beforeEach(() => {
  decide = echo
})

async function post(body: string): Promise<Connection> {
  const connection = await openConnection(port)
  const headers = { 'Content-Length': String(Buffer.byteLength(body)) }
  connection.write(request('/mutate', { method: 'POST', headers, body }))
  return connection
}

/** Sends the first bytes of a body of `announced` bytes. */
async function postPartly(sent: number, announced: number): Promise<Connection> {
  const connection = await openConnection(port)
  const headers = { 'Content-Length': String(announced) }
  const body = `"${'x'.repeat(sent - 1)}`
  connection.write(request('/mutate', { method: 'POST', headers, body }))
  return connection
}

const textOf = (bytes: number) => `"${'x'.repeat(bytes - 2)}"`
const statusOf = async (connection: Connection) => (await connection.reply()).status

test('evicts the largest body with 503, and the oldest of equal ones', async () => {
  await using stack = new AsyncDisposableStack()
  const half = async (bytes: number) => stack.use(await postPartly(bytes, LIMITS.maxBytes))
  const first = await half(100 * KIB)
  const small = await half(20 * KIB)
  await half(100 * KIB)
  expect(first.isClosed()).toBe(false)
  await half(100 * KIB)
  expect(await statusOf(first)).toBe(503)
  small.write(`${'x'.repeat(LIMITS.maxBytes - 20 * KIB - 1)}"`)
  expect(await statusOf(small)).toBe(200)
})

test('evicts a review that waits for the API server', async () => {
  await using stack = new AsyncDisposableStack()
  const call = Promise.withResolvers<void>()
  let waiting = 0
  decide = async (read) => {
    await read(() => {})
    waiting += 1
    await call.promise
    return await echo(read)
  }
  const all: Connection[] = []
  for (let count = 1; count <= 3; count += 1) {
    all.push(stack.use(await post(textOf(120 * KIB))))
    await expect.poll(() => waiting).toBe(count)
  }
  call.resolve()
  const statuses = await Promise.all(all.map(statusOf))
  expect(statuses).toEqual([503, 200, 200])
})

test('counts the reply, and closes the connection if there is no room for it', async () => {
  decide = () => Promise.resolve('x'.repeat(LIMITS.maxTotalBytes + 1))
  await using connection = await post('{}')
  expect(await connection.closed()).not.toContain('x'.repeat(LIMITS.maxTotalBytes))
})

test('reads the smallest of the waiting bodies first', async () => {
  await using stack = new AsyncDisposableStack()
  const order: number[] = []
  const gate = Promise.withResolvers<void>()
  let waiting = 0
  decide = async (read) => {
    waiting += 1
    await gate.promise
    return await read((body) => {
      order.push(String(body).length + 2)
      return 'read'
    })
  }
  const sizes = [90 * KIB, 10 * KIB, 50 * KIB]
  const all: Connection[] = []
  for (const size of sizes) all.push(stack.use(await post(textOf(size))))
  await expect.poll(() => waiting).toBe(3)
  gate.resolve()
  for (const connection of all) expect(await statusOf(connection)).toBe(200)
  expect(order).toEqual(sizes.toSorted((a, b) => a - b))
})

test('reads a large body in its turn while small bodies keep arriving', async () => {
  await using stack = new AsyncDisposableStack()
  const smallReads = { all: 0, beforeLarge: 0 }
  const gate = Promise.withResolvers<void>()
  let isLargeReceived = false
  decide = async (read) => {
    if (isLargeReceived) {
      while (smallReads.beforeLarge === 0 && smallReads.all < 1000) {
        await read(() => (smallReads.all += 1))
        if (smallReads.all === 10) gate.resolve()
      }
      return 'small'
    }
    isLargeReceived = true
    await gate.promise
    await read(() => (smallReads.beforeLarge = smallReads.all))
    return 'large'
  }
  const large = stack.use(await post(textOf(100 * KIB)))
  await expect.poll(() => isLargeReceived).toBe(true)
  for (const size of [10, 10]) stack.use(await post(textOf(size)))
  expect((await large.reply()).body).toBe('large')
  // A small body costs as much as 16 KiB, so each of the two connections gets six or seven turns before the large body.
  expect(smallReads.beforeLarge - 10).toBeLessThanOrEqual(14)
})

test('frees the room of malformed reviews and of callers that hang up', async () => {
  for (let time = 0; time < 10; time += 1) {
    await using broken = await post(`{${' '.repeat(100 * KIB - 1)}`)
    expect(await broken.reply()).toMatchObject({ status: 400, body: 'the body is not JSON' })
    await using gone = await postPartly(100 * KIB, LIMITS.maxBytes)
    gone.reset()
  }
  await using whole = await post(textOf(LIMITS.maxBytes))
  expect(await statusOf(whole)).toBe(200)
})

test.each([
  ['with too many empty objects', `[${Array(1000).fill('{}').join(',')}]`, 'JSON values'],
  ['nested too deep', `${'['.repeat(501)}${']'.repeat(501)}`, 'nested deeper'],
  ['larger than the limit', textOf(LIMITS.maxBytes + 1), 'larger than'],
  ['that is not JSON', '{', 'not JSON'],
])('rejects a body %s', async (_, body, message) => {
  await using connection = await post(body)
  const reply = await connection.reply()
  expect(reply.status).toBe(400)
  expect(reply.body).toContain(message)
})

test('does not count commas and brackets in text', async () => {
  const body = JSON.stringify({ 'a"\\': '\\"{[,'.repeat(10_000) })
  await using connection = await post(body)
  expect((await connection.reply()).body).toBe(body)
})
