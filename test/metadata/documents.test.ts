import { expect, test } from 'vitest'
import { metadataServer } from '../../src/server/app.ts'
import { parts, TENANT_ID } from '../fixtures/parts.ts'

/** The reply to a GET with the Metadata header, unless `headers` say otherwise. */
async function get(url: string, headers: Record<string, string> = { metadata: 'true' }) {
  await using app = metadataServer(parts())
  return await app.inject({ url, headers: { host: '169.254.169.254', ...headers } })
}

test.each([
  '/metadata/instance?api-version=2021-02-01',
  '/metadata/versions',
  '/metadata/identity/info?api-version=2018-02-01',
  '/metadata/scheduledevents?api-version=2020-07-01',
])('wants the Metadata header for %s', async (url) => {
  const reply = await get(url, {})
  expect(reply.statusCode).toBe(400)
  expect(reply.json()).toEqual({ error: 'Bad request. Required metadata header not specified' })
})

test.each([
  '/metadata/instance',
  '/metadata/instance?api-version=2016-01-01',
  '/metadata/instance?api-version=2021-02-30',
  '/metadata/instance/compute?api-version=latest',
  '/metadata/identity/info',
  '/metadata/identity/info?api-version=2017-12-01',
  '/metadata/scheduledevents',
])('wants an api-version that is one for %s', async (url) => {
  const reply = await get(url)
  expect(reply.statusCode).toBe(400)
  expect(reply.body).toBe(
    '{"error":"Bad request. api-version is invalid or was not specified in the request. For more information refer to aka.ms/azureimds","newest-versions":["2025-04-07","2024-07-17","2024-03-15"]}',
  )
})

test('names the tenant', async () => {
  const reply = await get('/Metadata/Identity/Info/?Api-Version=2018-02-01')
  expect(reply.body).toBe(`{"tenantId":"${TENANT_ID}"}`)
})

test('lists the api-versions, oldest first, to requests that name none', async () => {
  const reply = await get('/metadata/versions')
  expect(reply.json()).toMatchObject({ apiVersions: expect.arrayContaining(['2018-02-01']) })
  expect(reply.body).toMatch(/^\{"apiVersions":\["2017-03-01",.*"2025-04-07"\]\}$/)
})

test('has no scheduled events', async () => {
  const reply = await get('/metadata/scheduledevents?api-version=2020-07-01')
  expect(reply.body).toBe('{"DocumentIncarnation":1,"Events":[]}')
})

test.each([
  ['/metadata/instance?api-version=2021-02-01', /^\{"compute":\{"azEnvironment".*"network"/],
  ['/metadata/instance/compute?api-version=2021-02-01', /^\{"azEnvironment"/],
  ['//metadata/instance//Compute/?api-version=2017-08-01', /^\{"azEnvironment"/],
])('answers %s in JSON', async (url, expected) => {
  // A whole URL, so that two leading slashes stay a path.
  const reply = await get(`http://localhost${url}`)
  expect(reply.statusCode).toBe(200)
  expect(reply.headers['content-type']).toBe('application/json; charset=utf-8')
  expect(reply.body).toMatch(expected)
})

test.each([
  ['/metadata/instance?api-version=2021-02-01&format=text', 'compute/\nnetwork/'],
  ['/metadata/instance/compute/osType?api-version=2021-02-01&format=text', 'Linux'],
  ['/metadata/instance/compute/ostype?api-version=2021-02-01&Format=Text', 'Linux'],
  ['/metadata/instance/network/interface?api-version=2021-02-01&format=text', ''],
])('answers %s in text', async (url, expected) => {
  const reply = await get(url)
  expect(reply.statusCode).toBe(200)
  expect(reply.headers['content-type']).toBe('text/plain; charset=utf-8')
  expect(reply.body).toBe(expected)
})

test.each([
  '/metadata/instance/nothing?api-version=2021-02-01',
  '/metadata/instance/compute/location?api-version=2021-02-01&format=text',
  '/metadata/instance/compute/constructor?api-version=2021-02-01&format=text',
  '/metadata/instance/compute/osType/deeper?api-version=2021-02-01&format=text',
  `/metadata/instance/${'x'.repeat(500)}?api-version=2021-02-01`,
])('has nothing at %s', async (url) => {
  const reply = await get(url)
  expect(reply.statusCode).toBe(404)
  expect(reply.json()).toEqual({ error: 'Not found' })
})

test('refuses a single value that is not asked for as text', async () => {
  const reply = await get('/metadata/instance/compute/osType?api-version=2021-02-01')
  expect(reply.statusCode).toBe(400)
  expect(reply.json()).toEqual({
    error: 'Bad request. A single value must be asked for with format=text',
  })
})

test('refuses a repeated parameter', async () => {
  const reply = await get('/metadata/instance?api-version=2021-02-01&API-version=2021-02-01')
  expect(reply.statusCode).toBe(400)
})
