import { expect, test } from 'vitest'
import { createMetadataApp } from '../../../src/broker/server/app.ts'
import { parts, TENANT_ID } from '../../fixtures/parts.ts'

/** A document with leaves of several api-versions, and with every kind of value. */
const MACHINE = {
  compute: {
    azEnvironment: 'AzurePublicCloud',
    location: 'westeurope',
    osType: 'Linux',
    isHost: false,
    none: null,
    resourceGroupName: 'shop',
    resourceId: '/subscriptions/s',
    tagsList: [{ name: 'a', value: 'b' }],
    vmScaleSetName: '',
    zone: '1',
  },
  network: { interface: [{ macAddress: '0D' }] },
}

/** Returns the reply to a GET with the Metadata header, unless `headers` says otherwise. */
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

const IDENTITY_INFO = new RegExp(String.raw`^\{"tenantId":"${TENANT_ID}"\}$`)

test.each([
  ['/metadata/versions', /^\{"apiVersions":\["2017-03-01",.*"2018-02-01".*"2025-04-07"\]\}$/],
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
  ['2017-08-01', 'location osType isHost none resourceGroupName'],
  [
    '2019-06-04',
    'azEnvironment location osType isHost none resourceGroupName resourceId tagsList/ vmScaleSetName zone',
  ],
])('lists the leaves that the real service has in %s', async (version, names) => {
  const url = `/metadata/instance/compute?api-version=${version}`
  expect((await get(`${url}&format=text`)).body).toBe(names.replaceAll(' ', '\n'))
})

test.each([
  ['', 200, 'compute/\nnetwork/'],
  ['compute/ostype', 200, 'Linux'],
  ['compute/vmScaleSetName', 200, ''],
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
  const reply = await get(`/metadata/instance/${path}?api-version=2021-02-01&Format=Text`)
  expect([reply.statusCode, reply.body]).toEqual([status, body])
  expect(reply.headers['content-type']).toBe('text/plain; charset=utf-8')
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
