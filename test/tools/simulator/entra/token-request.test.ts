import { describe, expect, test } from 'vitest'
import { REPORTS } from '../../../../src/tools/simulator/defaults.ts'
import {
  CORRELATION_ID,
  exchange,
  formatFailure,
  type RequestChanges,
  startSimulator,
} from '../exchange.ts'

const form = (changes: NonNullable<RequestChanges['form']>): RequestChanges => ({ form: changes })
const scope = (value: string): RequestChanges => form({ scope: value })
const TWO_SCOPES = 'https://vault.azure.net/.default https://storage.azure.com/.default'
const UNKNOWN_TENANT = '99999999-9999-4999-8999-999999999999'
const EMPTY_GUID = '00000000-0000-0000-0000-000000000000'

describe('a token request', () => {
  test.each<[string, RequestChanges, string, RegExp]>([
    ['GET', { init: { method: 'GET', body: null } }, '400 invalid_request 900561', /a GET request/],
    ['empty tenant', { tenant: EMPTY_GUID }, '400 invalid_request 900021', /empty GUID/],
    ['tenant not a domain', { tenant: 'contoso' }, '400 invalid_request 900023', /is neither/],
    ['unknown tenant', { tenant: UNKNOWN_TENANT }, '400 invalid_request 90002', /not found/],
    ['unknown domain', { tenant: 'fabrikam.com' }, '400 invalid_request 90002', /'fabrikam.com'/],
    ['no grant type', form({ grant_type: '' }), '400 invalid_request 900144', /'grant_type'/],
    [
      'JSON body',
      { init: { headers: { 'content-type': 'application/json' } } },
      '400 invalid_request 900144',
      /'grant_type'/,
    ],
    ['password grant', form({ grant_type: 'password' }), '400 unsupported_grant_type 70003', /'pa/],
    ['no client id', form({ client_id: '' }), '400 invalid_request 900144', /'client_id'/],
    ['client id not a GUID', form({ client_id: 'orders' }), '400 invalid_request 90013', /Invalid/],
    ['no scope', form({ scope: undefined }), '400 invalid_request 900144', /'scope'/],
    [
      'a named permission',
      scope('https://vault.azure.net/x'),
      '400 invalid_scope 1002012',
      /\.def/,
    ],
    ['/.default alone', scope('/.default'), '400 invalid_scope 1002012', /\/\.default/],
    ['OIDC scopes only', scope('openid profile'), '400 invalid_scope 70011', /not valid/],
    ['two resources', scope(TWO_SCOPES), '400 invalid_scope 70011', /not valid/],
    [
      'unknown resource',
      scope('https://unknown.test/.default'),
      '400 invalid_resource 500011',
      /https:\/\/unknown.test was not found in the tenant named Contoso/,
    ],
    ['no assertion', { assertion: '' }, '401 invalid_client 7000216', /'client_assertion'/],
    [
      'client secret',
      form({ client_assertion: undefined, client_secret: 'x' }),
      '401 invalid_client 7000215',
      /Invalid client secret/,
    ],
    [
      'no assertion type',
      form({ client_assertion_type: undefined }),
      '400 invalid_request 900144',
      /'client_assertion_type'/,
    ],
    [
      'unknown assertion type',
      form({ client_assertion_type: 'saml' }),
      '400 invalid_request 90013',
      /Invalid input/,
    ],
    ['assertion not a JWT', { assertion: 'not.a.jwt' }, '400 invalid_request 50027', /malformed/],
    [
      'truncated assertion',
      { assertion: 'eyJhbGc.eyJpc3' },
      '400 invalid_request 50027',
      /malform/,
    ],
  ])('fails with its AADSTS code: %s', async (_, changes, failure, text) => {
    await using simulator = await startSimulator()
    const outcome = await exchange(simulator, changes)
    expect(formatFailure(outcome)).toBe(failure)
    expect(outcome.body['error_description']).toMatch(text)
    expect(outcome.body['error_description']).toMatch(
      new RegExp(`^AADSTS${failure.split(' ').at(-1)}: `, 'u'),
    )
  })
})

describe('an error response', () => {
  const noCredential = form({ client_id: REPORTS.clientId })

  test('has the trailer, ids, time and headers of Entra ID', async () => {
    await using simulator = await startSimulator()
    const { body, headers } = await exchange(simulator, noCredential)
    const traceId = headers.get('x-ms-request-id')
    expect(body).toEqual({
      error: 'invalid_client',
      error_description: `AADSTS70025: Client application has no configured federated identity credentials. Trace ID: ${traceId} Correlation ID: ${CORRELATION_ID} Timestamp: 2026-11-24 12:00:00Z`,
      error_codes: [70025],
      error_uri: 'https://entra.test/error?code=70025',
      timestamp: '2026-11-24 12:00:00Z',
      trace_id: traceId,
      correlation_id: CORRELATION_ID,
    })
    expect(headers.get('x-ms-clitelem')).toBe('1,70025,0,,')
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(headers.get('content-length')).toBe(String(JSON.stringify(body).length))
    expect(headers.get('cache-control')).toBe('no-store, no-cache')
    expect(headers.get('date')).toBe('Tue, 24 Nov 2026 12:00:00 GMT')
  })

  test.each<[string, string | RegExp, RequestChanges]>([
    [
      'the client-request-id of the query',
      CORRELATION_ID,
      { path: `/oauth2/v2.0/token?client-request-id=${CORRELATION_ID}` },
    ],
    [
      'the client-request-id of the headers',
      CORRELATION_ID,
      { init: { headers: { 'client-request-id': CORRELATION_ID } } },
    ],
    ['a new id without one', /^[0-9a-f-]{36}$/, {}],
    [
      'a new id for one that is not a GUID',
      /^[0-9a-f-]{36}$/,
      form({ 'client-request-id': '<a>' }),
    ],
  ])('has as correlation id %s', async (_, id, changes) => {
    await using simulator = await startSimulator()
    const defaults = { 'client-request-id': undefined, grant_type: undefined }
    const { body } = await exchange(simulator, {
      ...changes,
      form: { ...defaults, ...changes.form },
    })
    expect(body['correlation_id']).toMatch(id)
  })
})
