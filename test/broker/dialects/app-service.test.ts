/** App Service 2019-08-01, App Service 2017-09-01 and Azure ML: three protocols at /msi/token. */
import { describe, expect, test } from 'vitest'
import { createAppServiceDialects } from '../../../src/broker/dialects/app-service.ts'
import { cloudShell } from '../../../src/broker/dialects/cloud-shell.ts'
import { imds } from '../../../src/broker/dialects/imds.ts'
import { BrokerError } from '../../../src/lib/errors.ts'
import { createMetadataApp } from '../../../src/broker/server/app.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { BILLING, NOW, parts } from '../../fixtures/parts.ts'

const SECRET = 'b5f7a1c0-5c1e-4a52-9d3f-3c1f0c3a8d11'
const HOST = { host: '127.0.0.1:8000' }
const RESOURCE = 'resource=https://vault.azure.net'
const V2019 = { url: `/msi/token?api-version=2019-08-01&${RESOURCE}`, header: 'x-identity-header' }
const V2017 = { url: `/msi/token?${RESOURCE}&api-version=2017-09-01`, header: 'secret' }
/** The request of Cloud Shell’s protocol. */
const UNVERSIONED = { url: `/msi/token?${RESOURCE}` }
const EXPIRES_ON = NOW / 1000 + 3600

const withAppService = (overrides: Parameters<typeof parts>[0] = {}) =>
  parts({
    dialects: [imds, cloudShell, ...createAppServiceDialects(new Secret(SECRET))],
    ...overrides,
  })

async function ask(url: string, headers: Record<string, string> = {}, given = withAppService()) {
  await using app = createMetadataApp(() => given.pod, given.clock)
  return await app.inject({ url, headers: { ...HOST, ...headers } })
}

test('2019-08-01 replies with the members of the real body, all strings', async () => {
  const given = withAppService()
  const url = `${V2019.url}&principal_id=${BILLING.objectId}`
  const reply = await ask(url, { [V2019.header]: SECRET }, given)
  expect(reply.statusCode).toBe(200)
  expect(reply.headers['server']).toBe('Kestrel')
  expect(reply.body).toBe(
    `{"access_token":"eyJ.a-token","client_id":"${BILLING.clientId}","expires_on":"${EXPIRES_ON}","resource":"https://vault.azure.net","token_type":"Bearer"}`,
  )
})

test('2019-08-01 replies to an error with statusCode, message and correlationId', async () => {
  const reply = await ask('/msi/token?api-version=2019-08-01', { [V2019.header]: SECRET })
  expect(reply.statusCode).toBe(400)
  expect(reply.headers['server']).toBe('Kestrel')
  const message = "Required query variable 'resource' is missing"
  const correlationId: unknown = expect.stringMatching(/^[0-9a-f-]{36}$/)
  expect(reply.json()).toEqual({
    statusCode: 400,
    message,
    correlationId,
    wimds: 'resource_missing',
  })
  const old = await ask('/msi/token?api-version=2017-09-01', { [V2017.header]: SECRET })
  expect(old.statusCode).toBe(400)
  expect(old.json()).toMatchObject({ ExceptionMessage: message, statusCode: 400, message })
})

test('an error of Entra ID has its correlation id and our code', async () => {
  const entra = { aadsts: 700213, correlationId: 'c0ffee' }
  const refusal = new BrokerError('federated_credential_not_found', 'AADSTS700213: No match', {
    entra,
  })
  const given = withAppService({ tokens: () => Promise.reject(refusal) })
  const reply = await ask(V2019.url, { [V2019.header]: SECRET }, given)
  expect(reply.json()).toEqual({
    statusCode: 400,
    message: 'AADSTS700213: No match (wimds: federated_credential_not_found)',
    correlationId: 'c0ffee',
  })
})

const AS_DATE = '11/24/2026 13:00:00 +00:00'

test.each([
  [V2019, 'azsdk-js-identity/1.5.2 core-http/1.2.0', String(EXPIRES_ON)],
  // This client reads a number as NaN, and never requests another token.
  [V2019, 'azsdk-js-identity/2.1.0', AS_DATE],
  [V2017, undefined, String(EXPIRES_ON)],
  [V2017, 'azsdk-python-identity/1.3.1 Python/3.11', String(EXPIRES_ON)],
  [V2017, 'azsdk-python-identity/1.15.0 Python/3.11', String(EXPIRES_ON)],
  // These clients can only parse a date.
  [V2017, 'azsdk-python-identity/1.4.0 Python/3.8', AS_DATE],
  [V2017, 'azsdk-python-identity/1.14.1 Python/3.11', AS_DATE],
  [V2017, 'azsdk-js-identity/1.5.2 core-http/1.2.0', AS_DATE],
])('%o of %s gets the expiry %s', async ({ url, header }, userAgent, expected) => {
  const headers = { [header]: SECRET, ...(userAgent !== undefined && { 'user-agent': userAgent }) }
  expect((await ask(url, headers)).json()).toMatchObject({ expires_on: expected })
  expect(Date.parse(AS_DATE) / 1000).toBe(EXPIRES_ON)
})

describe('the secret', () => {
  test.each([
    [V2019, {}],
    [V2019, { 'x-identity-header': SECRET.slice(0, -1) }],
    [V2017, { secret: 'guess' }],
    [UNVERSIONED, { metadata: 'true', secret: 'guess' }],
    [UNVERSIONED, { metadata: 'true', 'x-identity-header': 'guess' }],
  ])('is required: %o returns 401 with the headers %o', async ({ url }, headers) => {
    const given = withAppService()
    const reply = await ask(url, headers, given)
    expect(reply.statusCode).toBe(401)
    expect(reply.json()).toMatchObject({ statusCode: 401 })
    expect(reply.body).not.toContain(SECRET)
    expect(given.asked).toEqual([])
  })

  test('selects the protocol by the header that carries it', async () => {
    const given = withAppService()
    await ask(V2017.url, { 'x-identity-header': SECRET }, given)
    await ask(V2019.url, { secret: SECRET }, given)
    expect(given.replies.map(({ protocol }) => protocol)).toEqual([
      'app-service-2019',
      'app-service-2017',
    ])
  })

  test('is required in the configuration: without it the path does not exist', async () => {
    const given = parts({ dialects: [imds, cloudShell] })
    const reply = await ask(V2019.url, { [V2019.header]: '' }, given)
    expect(reply.statusCode).toBe(404)
    expect(reply.json()).toMatchObject({ error: 'not_found' })
  })
})

test('clients that speak Cloud Shell’s protocol to MSI_ENDPOINT get tokens with the header Metadata and no MSI_SECRET', async () => {
  const given = withAppService()
  expect((await ask(UNVERSIONED.url, { metadata: 'true' }, given)).statusCode).toBe(200)
  expect((await ask(UNVERSIONED.url, { metadata: 'false' }, given)).statusCode).toBe(400)
  expect(given.replies.map(({ protocol }) => protocol)).toEqual(['cloud-shell', 'cloud-shell'])
  expect((await ask(UNVERSIONED.url)).statusCode).toBe(401)
})
