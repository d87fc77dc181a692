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

/** A right request with so many headers in all, the last of which is one that refuses it. */
const forwarded = (count: number) =>
  request(TARGET, {
    headers: {
      ...Object.fromEntries(Array.from({ length: count - 3 }, (_, index) => [`X-${index}`, ''])),
      'X-Forwarded-For': '10.0.0.9',
    },
  })

test.each([4, 127, 128, 129, 160, 500, 2000])(
  'sees a forwarded request as one, though it has %i headers',
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

test('answers what came before too many headers, and closes then', async () => {
  await using connection = await openConnection(server.port)
  connection.write(request(TARGET) + forwarded(200))
  expect((await connection.reply()).status).toBe(200)
  const refusal = await connection.reply()
  expect(refusal.status).toBe(431)
  expect(JSON.parse(refusal.body)).toHaveProperty('error')
  expect(await connection.closed()).toBe('')
})
