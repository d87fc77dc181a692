/** Cloud Shell and the former VM extension: /oauth2/token by GET and by forms. */
import type { InjectOptions } from 'fastify'
import { expect, test } from 'vitest'
import { cloudShell } from '../../../src/broker/dialects/cloud-shell.ts'
import { imds } from '../../../src/broker/dialects/imds.ts'
import { createMetadataApp } from '../../../src/broker/server/app.ts'
import { request, roundTrip } from '../../fixtures/connection.ts'
import { BILLING, ORDERS, parts } from '../../fixtures/parts.ts'
import { serveParts } from '../../fixtures/sidecar.ts'

const HEADERS = { host: 'localhost:50342', metadata: 'true' }
const RESOURCE = 'https://vault.azure.net/'
const withCloudShell = () => parts({ dialects: [imds, cloudShell] })

async function ask(options: InjectOptions, given = withCloudShell()) {
  await using app = createMetadataApp(() => given.pod, given.clock)
  return await app.inject({ url: '/oauth2/token', headers: HEADERS, ...options })
}

test('replies with the body of IMDS, and names its methods in Allow', async () => {
  const reply = await ask({ url: `/oauth2/token?resource=${RESOURCE}` })
  expect(reply.json()).toMatchObject({ resource: RESOURCE, client_id: ORDERS.clientId })
  expect(cloudShell.render).toBe(imds.render)
  const { statusCode, headers } = await ask({ method: 'PUT' })
  expect([statusCode, headers['allow']]).toEqual([405, 'GET, POST'])
})

const FORM = `resource=${RESOURCE}`
const FORM_TYPE = 'application/x-www-form-urlencoded'

test.each([
  ['an encoded form', FORM_TYPE, `resource=${encodeURIComponent(RESOURCE)}`],
  ['an unencoded form', FORM_TYPE, FORM],
  ['a form with a malformed type', ';;=/', FORM],
  ['a form that ends with CRLF', 'text/plain', `${FORM}\r\n`],
])('accepts %s', async (_, type, body) => {
  const given = withCloudShell()
  await using server = await serveParts(given)
  const { status } = await roundTrip(server.port, post(body, { 'Content-Type': type }))
  expect(status).toBe(200)
  expect(given.asked.map(({ scope }) => scope)).toEqual([`${RESOURCE}/.default`])
})

test('accepts a chunked form, as Go sends it', async () => {
  const given = withCloudShell()
  await using server = await serveParts(given)
  const form = `resource=${RESOURCE}&client_id=${BILLING.clientId}`
  const halves = [form.slice(0, 10), form.slice(10)]
  const body = halves.map((half) => `${half.length.toString(16)}\r\n${half}\r\n`).join('')
  const bytes = request('/oauth2/token', {
    method: 'POST',
    headers: { 'Transfer-Encoding': 'chunked' },
    body: `${body}0\r\n\r\n`,
  })
  expect((await roundTrip(server.port, bytes)).status).toBe(200)
  expect(given.asked.map(({ identity }) => identity.name)).toEqual(['billing'])
})

const NOBODY = '99999999-9999-4999-8999-999999999999'

test.each([
  ['no Metadata header', { headers: { host: 'localhost' }, payload: FORM }],
  ['a repeated resource', { payload: 'resource=a&Resource=b' }],
  ['one in both the query and the form', { url: '/oauth2/token?resource=a', payload: FORM }],
  ['an unknown identity', { payload: `resource=x&client_id=${NOBODY}` }],
])('rejects %s with the nested error body', async (_, options) => {
  const reply = await ask({ method: 'POST', ...options })
  expect(reply.statusCode).toBe(400)
  const error = { code: 'invalid_request', message: expect.any(String) }
  expect(reply.json()).toMatchObject({ error })
})

function post(body: string, headers: Record<string, string>): string {
  return request('/oauth2/token', {
    method: 'POST',
    headers: { 'Content-Length': String(Buffer.byteLength(body)), ...headers },
    body,
  })
}
