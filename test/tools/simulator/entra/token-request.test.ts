import { describe, expect, test } from 'vitest'
import { BILLING, REPORTS } from '../../../../src/tools/simulator/defaults.ts'
import {
  CORRELATION_ID,
  exchange,
  formatFailure,
  type RequestChanges,
  startSimulator,
} from '../exchange.ts'

const form = (changes: NonNullable<RequestChanges['form']>): RequestChanges => ({ form: changes })
const scope = (value: string): RequestChanges => form({ scope: value })
const client = (id: string | undefined): RequestChanges => form({ client_id: id })
const TWO_SCOPES = 'https://vault.azure.net/.default https://storage.azure.com/.default'
const OTHER_GUID = '99999999-9999-4999-8999-999999999999'
const EMPTY_GUID = '00000000-0000-0000-0000-000000000000'

test.each<[string, RequestChanges, string]>([
  ['400 invalid_request 900561', { init: { method: 'GET', body: null } }, 'a GET request'],
  ['400 invalid_request 900021', { tenant: EMPTY_GUID }, 'empty GUID'],
  ['400 invalid_request 900023', { tenant: 'contoso' }, 'is neither'],
  ['400 invalid_request 90002', { tenant: OTHER_GUID }, 'not found'],
  ['400 invalid_request 90002', { tenant: 'fabrikam.com' }, "'fabrikam.com'"],
  ['400 invalid_request 900144', form({ grant_type: '' }), "'grant_type'"],
  ['400 unsupported_grant_type 70003', form({ grant_type: 'password' }), "'password'"],
  ['400 invalid_request 90013', client('orders'), 'Invalid'],
  ['400 unauthorized_client 700016', client(OTHER_GUID), "'Contoso'"],
  ['401 invalid_client 70025', client(REPORTS.clientId), 'Client application has no conf'],
  ['401 invalid_client 700213', client(BILLING.clientId), 'shop:orders'],
  ['400 invalid_request 900144', form({ scope: undefined }), "'scope'"],
  ['400 invalid_scope 1002012', scope('https://vault.azure.net/x'), '.default'],
  ['400 invalid_scope 1002012', scope('/.default'), '/.default'],
  ['400 invalid_scope 70011', scope(TWO_SCOPES), 'not valid'],
  ['400 invalid_resource 500011', scope('https://a.test/.default'), 'https://a.test was not found'],
  ['401 invalid_client 7000216', { assertion: '' }, "'client_assertion'"],
  ['400 invalid_request 900144', form({ client_assertion_type: '' }), "'client_assertion_type'"],
  ['400 invalid_request 90013', form({ client_assertion_type: 'saml' }), 'Invalid input'],
  ['400 invalid_request 50027', { assertion: 'not.a.jwt' }, 'malformed'],
])('a token request fails with %s: %j', async (failure, changes, text) => {
  await using simulator = await startSimulator()
  const outcome = await exchange(simulator, changes)
  expect(formatFailure(outcome)).toBe(failure)
  const description = String(outcome.body['error_description'])
  expect(description).toContain(text)
  expect(description.split(':')[0]).toBe(`AADSTS${failure.split(' ').at(-1)}`)
})

describe('an error response', () => {
  test('has the trailer, ids, time and headers of Entra ID', async () => {
    await using simulator = await startSimulator()
    const { body, headers } = await exchange(simulator, client(REPORTS.clientId))
    const traceId = headers.get('x-ms-request-id')
    expect(body).toEqual({
      error: 'invalid_client',
      error_description: `AADSTS70025: Client application has no configured federated identity credentials. Trace ID: ${traceId} Correlation ID: ${CORRELATION_ID} Timestamp: 2026-11-24 12:00:00Z`,
      error_codes: [70025],
      error_uri: `${simulator.authorityHost}/error?code=70025`,
      timestamp: '2026-11-24 12:00:00Z',
      trace_id: traceId,
      correlation_id: CORRELATION_ID,
    })
    expect(Object.fromEntries(headers)).toMatchObject({
      'x-ms-clitelem': '1,70025,0,,',
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(JSON.stringify(body).length),
      'cache-control': 'no-store, no-cache',
      'x-ms-ests-server': expect.stringContaining('ProdSlices'),
      date: 'Tue, 24 Nov 2026 12:00:00 GMT',
    })
    expect(headers.getSetCookie()).toHaveLength(2)
  })
})
