import { afterAll, beforeAll, expect, test } from 'vitest'
import { openConnection, request } from '../fixtures/connection.ts'
import { parts } from '../fixtures/parts.ts'
import { serveParts } from '../fixtures/sidecar.ts'

const TARGET =
  '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net'

let server: Awaited<ReturnType<typeof serveParts>>
beforeAll(async () => {
  server = await serveParts(parts())
})
afterAll(() => server[Symbol.asyncDispose]())

/** Returns a valid request with this many headers. The last is X-Forwarded-For. */
const forwarded = (count: number) =>
  request(TARGET, {
    headers: {
      ...Object.fromEntries(Array.from({ length: count - 3 }, (_, index) => [`X-${index}`, ''])),
      'X-Forwarded-For': '10.0.0.9',
    },
  })

test.each([4, 127, 128, 129, 160, 500, 2000])(
  'rejects a forwarded request with %i headers',
  async (count) => {
    await using connection = await openConnection(server.port)
    connection.write(forwarded(count))
    expect((await connection.reply()).status).toBe(count >= 128 ? 431 : 400)
  },
)

test('answers a request with a hundred headers', async () => {
  await using connection = await openConnection(server.port)
  connection.write(forwarded(100).replace('X-Forwarded-For', 'X-Other'))
  expect((await connection.reply()).status).toBe(200)
})

test('answers the request before one with too many headers, rejects that, and closes', async () => {
  await using connection = await openConnection(server.port)
  connection.write(request(TARGET) + forwarded(200))
  expect((await connection.reply()).status).toBe(200)
  const rejection = await connection.reply()
  expect(rejection.status).toBe(431)
  expect(JSON.parse(rejection.body)).toHaveProperty('error')
  expect(await connection.closed()).toBe('')
})
