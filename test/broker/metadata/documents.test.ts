import { expect, test } from 'vitest'
import { createMetadataApp } from '../../../src/broker/server/app.ts'
import { parts, TENANT_ID } from '../../fixtures/parts.ts'

/** The document of a virtual machine, as an operator writes it to a file. */
const MACHINE = {
  compute: {
    azEnvironment: 'AzurePublicCloud',
    location: 'westeurope',
    name: 'orders-vm',
    osType: 'Linux',
    provider: 'Microsoft.Compute',
    resourceGroupName: 'shop',
    resourceId: '/subscriptions/55555555-5555-4555-8555-555555555555',
    sku: 'minimal',
    subscriptionId: '55555555-5555-4555-8555-555555555555',
    tags: '',
    tagsList: [],
    vmId: '66666666-6666-4666-8666-666666666666',
    vmScaleSetName: '',
    vmSize: 'Standard_D2s_v5',
    zone: '',
  },
  network: { interface: [] },
}

/** The reply to a GET with the Metadata header, unless `headers` say otherwise. */
async function get(
  url: string,
  headers: Record<string, string> = { metadata: 'true' },
  given = parts({ instance: MACHINE }),
) {
  await using app = createMetadataApp(() => given.pod, given.clock)
  return await app.inject({ url, headers: { host: '169.254.169.254', ...headers } })
}

test.each([
  '/metadata/instance?api-version=2021-02-01',
  '/metadata/versions',
  '/metadata/identity/info?api-version=2018-02-01',
  '/metadata/scheduledevents?api-version=2020-07-01',
])('requires the Metadata header for %s', async (url) => {
  const reply = await get(url, {})
  expect(reply.statusCode).toBe(400)
  expect(reply.json()).toEqual({ error: 'Bad request. Required metadata header not specified' })
})

test.each([
  '/metadata/instance',
  '/metadata/instance?api-version=2021-02-30',
  '/metadata/identity/info?api-version=2017-12-01',
  '/metadata/scheduledevents',
])('requires a valid api-version for %s', async (url) => {
  const reply = await get(url)
  expect(reply.statusCode).toBe(400)
  expect(reply.json()).toEqual({
    error: expect.stringMatching(/^Bad request\. api-version is invalid or was not specified/),
    'newest-versions': ['2025-04-07', '2024-07-17', '2024-03-15'],
  })
})

test('lists the api-versions, oldest first, without requiring one', async () => {
  const reply = await get('/metadata/versions')
  expect(reply.json()).toMatchObject({ apiVersions: expect.arrayContaining(['2018-02-01']) })
  expect(reply.body).toMatch(/^\{"apiVersions":\["2017-03-01",.*"2025-04-07"\]\}$/)
})

const IDENTITY_INFO = new RegExp(String.raw`^\{"tenantId":"${TENANT_ID}"\}$`)

test.each([
  ['/metadata/instance?api-version=2021-02-01', /^\{"compute":\{"azEnvironment".*"network"/],
  ['//metadata/instance//Compute/?api-version=2017-08-01', /^\{"location"/],
  ['/Metadata/Identity/Info/?Api-Version=2018-02-01', IDENTITY_INFO],
  [
    '/metadata/scheduledevents?api-version=2020-07-01',
    /^\{"DocumentIncarnation":1,"Events":\[\]\}$/,
  ],
])('returns %s as JSON', async (url, expected) => {
  // A whole URL, so that two leading slashes stay a path.
  const reply = await get(`http://localhost${url}`)
  expect(reply.statusCode).toBe(200)
  expect(reply.headers['content-type']).toBe('application/json; charset=utf-8')
  expect(reply.body).toMatch(expected)
})

test.each([
  // Packer 1.6.6 cannot parse tagsList.
  ['2017-08-01', 'location name osType resourceGroupName sku subscriptionId tags vmId vmSize'],
  [
    '2019-06-04',
    'azEnvironment location name osType provider resourceGroupName resourceId sku subscriptionId tags tagsList/ vmId vmScaleSetName vmSize zone',
  ],
])('lists the leaves that the real service has in %s', async (version, names) => {
  const url = `/metadata/instance/compute?api-version=${version}`
  expect((await get(`${url}&format=text`)).body).toBe(names.replaceAll(' ', '\n'))
})

test.each([
  ['/metadata/instance?api-version=2021-02-01&format=text', 'compute/\nnetwork/'],
  ['/metadata/instance/compute/ostype?api-version=2021-02-01&Format=Text', 'Linux'],
  ['/metadata/instance/compute/vmScaleSetName?api-version=2021-02-01&format=text', ''],
])('returns %s as text', async (url, expected) => {
  const reply = await get(url)
  expect(reply.statusCode).toBe(200)
  expect(reply.headers['content-type']).toBe('text/plain; charset=utf-8')
  expect(reply.body).toBe(expected)
})

/** A document with every kind of value. */
const DOCUMENT = {
  compute: {
    zone: '1',
    isHost: false,
    none: null,
    tagsList: [{ name: 'a', value: 'b' }],
  },
  network: { interface: [{ macAddress: '0D' }] },
}

test.each([
  ['compute/zone', 200, '1'],
  ['compute/isHost', 200, 'false'],
  ['compute/none', 200, ''],
  ['compute/tagsList', 200, '0/'],
  ['network/interface/0/macAddress', 200, '0D'],
  ['network/interface/1', 404, ''],
  ['compute/tagsList/length', 404, ''],
  ['compute/__proto__', 404, ''],
  ['compute/zone/0', 404, ''],
])('returns %s of a document as text: %i %j', async (path, status, body) => {
  const url = `/metadata/instance/${path}?api-version=2021-02-01&format=text`
  const reply = await get(url, { metadata: 'true' }, parts({ instance: DOCUMENT }))
  expect([reply.statusCode, reply.body]).toEqual([status, body])
})

test('rejects a single value without format=text', async () => {
  const reply = await get('/metadata/instance/compute/osType?api-version=2021-02-01')
  expect([reply.statusCode, reply.headers['x-wimds-error']]).toEqual([400, 'request_malformed'])
})

test.each(['compute/location', ''])(
  'returns 403 for %s as JSON while nothing is known, and 404 without a body as text',
  async (path) => {
    const url = `/metadata/instance/${path}?api-version=2021-02-01`
    const nothing = parts()
    const text = await get(`${url}&format=text`, { metadata: 'true' }, nothing)
    expect([text.statusCode, text.body, text.headers['content-length']]).toEqual([404, '', '0'])
    expect(text.headers['content-type']).toBe('text/plain; charset=utf-8')
    const json = await get(url, { metadata: 'true' }, nothing)
    expect(json.statusCode).toBe(403)
    expect(json.body).toMatch(/^\{"error":"Forbidden\. .* Fix: set WIMDS_INSTANCE"/)
    const codes = ['not_found', 'instance_not_configured']
    expect([text, json].map(({ headers }) => headers['x-wimds-error'])).toEqual(codes)
    expect(nothing.replies.map(({ error }) => error?.code)).toEqual(codes)
  },
)
