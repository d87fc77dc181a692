import { expect, test } from 'vitest'
import { adminServer } from '../../src/http/admin-server.ts'

const scrape = () => Promise.resolve({ contentType: 'text/plain; version=0.0.4', body: 'up 1\n' })

test('is healthy as soon as it answers', async () => {
  await using app = adminServer({ readiness: () => ({ ready: false }), scrape })
  const reply = await app.inject('/healthz')
  expect(reply.statusCode).toBe(200)
})

test.each([
  [true, 200],
  [false, 503],
])('says whether it is ready (%s), with what is known', async (ready, status) => {
  const state = { ready, reasons: ['x'] }
  await using app = adminServer({ readiness: () => state, scrape })
  const reply = await app.inject('/readyz')
  expect(reply.statusCode).toBe(status)
  expect(reply.json()).toEqual(state)
})

test('gives metrics in the format that they name', async () => {
  await using app = adminServer({ readiness: () => ({ ready: true }), scrape })
  const reply = await app.inject('/metrics')
  expect(reply.headers['content-type']).toBe('text/plain; version=0.0.4')
  expect(reply.body).toBe('up 1\n')
})
