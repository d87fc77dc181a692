/** The bounds on the bodies of reviews, over real connections. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { MalformedReview } from '../../../src/kubernetes/webhook/admission.ts'
import { reviewBodies, ReviewGivenUp } from '../../../src/kubernetes/webhook/review-bodies.ts'
import { type Connection, openConnection, request } from '../../fixtures/connection.ts'
import { portOf } from '../../fixtures/listening.ts'

const KIB = 1024
const LIMITS = { maxBytes: 128 * KIB, maxArrivingBytes: 320 * KIB, maxDecidingBytes: 130 * KIB }
const reviewed = reviewBodies(LIMITS)
let decide = (body: unknown): Promise<unknown> => Promise.resolve(body)

const server = createServer((incoming, response) => {
  reviewed(incoming, (body) => decide(body)).then(
    (body) => response.end(JSON.stringify(body)),
    (error: unknown) => {
      response.statusCode = error instanceof ReviewGivenUp ? 503 : 400
      response.end(error instanceof MalformedReview ? error.message : undefined)
    },
  )
})
beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  decide = (body) => Promise.resolve(body)
})

/** A review of which `sent` bytes of JSON go out, and `announced` were promised. */
async function sending(sent: number, announced = sent): Promise<Connection> {
  const connection = await openConnection(portOf(server))
  const headers = { 'Content-Length': String(announced) }
  const body = `"${'x'.repeat(sent - 2)}${sent === announced ? '"' : 'x'}`
  connection.write(request('/mutate', { method: 'POST', headers, body }))
  return connection
}

const statusOf = async (connection: Connection) => (await connection.reply()).status

test('a review that comes byte by byte is put together again', async () => {
  await using connection = await openConnection(portOf(server))
  connection.write(request('/mutate', { method: 'POST', headers: { 'Content-Length': '8' } }))
  for (const byte of Buffer.from('"sí€"')) connection.write(String.fromCharCode(byte))
  expect((await connection.reply()).body).toBe('"sí€"')
})

test('the largest of the reviews that arrive makes room for another, of equal ones the oldest', async () => {
  await using stack = new AsyncDisposableStack()
  const half = async (bytes: number) => stack.use(await sending(bytes, LIMITS.maxBytes))
  const first = await half(100 * KIB)
  const small = await half(20 * KIB)
  await half(100 * KIB)
  expect(first.isClosed()).toBe(false)
  await half(100 * KIB)
  expect(await statusOf(first)).toBe(503)
  small.write(`${'x'.repeat(LIMITS.maxBytes - 20 * KIB - 1)}"`)
  expect(await statusOf(small)).toBe(200)
})

test('small reviews go on, however many large ones are left half-sent', async () => {
  await using stack = new AsyncDisposableStack()
  for (let count = 0; count < 20; count += 1) {
    stack.use(await sending(LIMITS.maxBytes - KIB, LIMITS.maxBytes))
    const small = stack.use(await sending(KIB))
    expect(await statusOf(small)).toBe(200)
  }
})

test('reviews wait for their turn, and the smallest goes first', async () => {
  await using stack = new AsyncDisposableStack()
  const gates: (() => void)[] = []
  const begun: number[] = []
  decide = async (body) => {
    begun.push(String(body).length + 2)
    await new Promise<void>((resolve) => gates.push(resolve))
    return 'decided'
  }
  const large = stack.use(await sending(90 * KIB))
  await expect.poll(() => begun).toEqual([90 * KIB])
  const later = stack.use(await sending(80 * KIB))
  const small = stack.use(await sending(70 * KIB))
  // A third that fits beside the first is not held up by those that do not.
  const fitting = stack.use(await sending(10 * KIB))
  await expect.poll(() => begun).toEqual([90 * KIB, 10 * KIB])
  gates[1]?.()
  expect(await statusOf(fitting)).toBe(200)
  gates[0]?.()
  expect(await statusOf(large)).toBe(200)
  await expect.poll(() => begun.slice(2)).toEqual([70 * KIB])
  gates[2]?.()
  expect(await statusOf(small)).toBe(200)
  await expect.poll(() => begun.slice(3)).toEqual([80 * KIB])
  gates[3]?.()
  expect(await statusOf(later)).toBe(200)
})

test('large reviews that wait for each other do not hold up a small one that comes', async () => {
  await using stack = new AsyncDisposableStack()
  const late = stack.use(await openConnection(portOf(server)))
  const gate = Promise.withResolvers<void>()
  const begun: number[] = []
  decide = async (body) => {
    const bytes = String(body).length + 2
    begun.push(bytes)
    if (bytes === 60 * KIB) {
      const headers = { 'Content-Length': '2' }
      late.write(request('/mutate', { method: 'POST', headers, body: '""' }))
    }
    if (begun.length === 1) await gate.promise
    return 'decided'
  }
  const large = [stack.use(await sending(120 * KIB))]
  await expect.poll(() => begun).toEqual([120 * KIB])
  for (const kib of [60, 61, 62, 63]) large.push(stack.use(await sending(kib * KIB)))
  // The server cannot be asked whether all have come.
  await sleep(100)
  gate.resolve()
  for (const connection of large) expect(await statusOf(connection)).toBe(200)
  expect(await statusOf(late)).toBe(200)
  expect(begun.indexOf(2)).toBeLessThan(begun.indexOf(63 * KIB))
})

test('what is given up or malformed leaves its room to others', async () => {
  for (let time = 0; time < 10; time += 1) {
    await using broken = await openConnection(portOf(server))
    const headers = { 'Content-Length': String(100 * KIB) }
    const text = `{${' '.repeat(100 * KIB - 1)}`
    broken.write(request('/mutate', { method: 'POST', headers, body: text }))
    expect(await broken.reply()).toMatchObject({ status: 400, body: 'the body is not JSON' })
    await using gone = await sending(100 * KIB, LIMITS.maxBytes)
    gone.reset()
  }
  await using whole = await sending(LIMITS.maxBytes)
  expect(await statusOf(whole)).toBe(200)
})

test.each([
  ['empty objects', '{}'],
  ['empty arrays', '[]'],
  ['numbers', '0'],
])('a review that V8 would make twenty times as large of is refused: %s', async (_, value) => {
  await using connection = await openConnection(portOf(server))
  const body = `[${Array(1000).fill(value).join(',')}]`
  const headers = { 'Content-Length': String(body.length) }
  connection.write(request('/mutate', { method: 'POST', headers, body }))
  const reply = await connection.reply()
  expect(reply).toMatchObject({ status: 400, body: 'the review is too large' })
})

test('commas and brackets in text are no values', async () => {
  await using connection = await openConnection(portOf(server))
  const body = JSON.stringify({ 'a"\\': '\\"{[,'.repeat(10_000) })
  const headers = { 'Content-Length': String(body.length) }
  connection.write(request('/mutate', { method: 'POST', headers, body }))
  expect((await connection.reply()).body).toBe(body)
})
