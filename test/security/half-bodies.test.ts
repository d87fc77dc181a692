import { afterAll, beforeAll, expect, test } from 'vitest'
import { cloudShell } from '../../src/dialects/cloud-shell.ts'
import { imds } from '../../src/dialects/imds.ts'
import { openConnection, request, roundTrip } from '../fixtures/connection.ts'
import { parts } from '../fixtures/parts.ts'
import { serveParts } from '../fixtures/sidecar.ts'

const FORM = 'resource=https://vault.azure.net'
const GOOD = request(`/oauth2/token?${FORM}`)
const posted = (headers: Record<string, string>, body: string) =>
  request('/oauth2/token', { method: 'POST', headers, body })

let server: Awaited<ReturnType<typeof serveParts>>
beforeAll(async () => {
  server = await serveParts(parts({ dialects: [imds, cloudShell] }))
})
afterAll(() => server[Symbol.asyncDispose]())

test.each([
  ['ends in the middle', { 'Content-Length': '99' }, FORM],
  ['never begins', { 'Content-Length': '99' }, ''],
  ['ends in the middle of a chunk', { 'Transfer-Encoding': 'chunked' }, '20\r\nresource='],
  ['has a chunk of no size', { 'Transfer-Encoding': 'chunked' }, `zz\r\n${FORM}\r\n0\r\n\r\n`],
])('refuses a form that %s at once, in JSON, and closes', async (_, headers, body) => {
  await using connection = await openConnection(server.port)
  connection.write(posted(headers, body))
  connection.end()
  const reply = await connection.reply({ withinMs: 1000 })
  expect(reply.status).toBe(400)
  expect(JSON.parse(reply.body)).toHaveProperty('error')
  expect(await connection.closed(1500)).toBe('')
})

test('answers what came before a form that ends in the middle, and then refuses that', async () => {
  await using connection = await openConnection(server.port)
  connection.write(`${GOOD}${GOOD}${posted({ 'Content-Length': '99' }, FORM)}`)
  connection.end()
  for (const status of [200, 200, 400]) {
    expect((await connection.reply({ withinMs: 1000 })).status).toBe(status)
  }
  expect(await connection.closed(1500)).toBe('')
  expect((await roundTrip(server.port, GOOD)).status).toBe(200)
})
