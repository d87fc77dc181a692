import { describe, expect, test } from 'vitest'
import { jsonResponse } from '../../../src/simulator/http/handler.ts'
import { REPORTS } from '../../../src/simulator/defaults.ts'
import { startInMemory, CORRELATION_ID, exchange, type Attempt } from '../exchange.ts'

describe('a request that is wrong itself', () => {
  test.each<[string, Attempt, number, number, string, RegExp]>([
    [
      'is a GET',
      { init: { method: 'GET', body: null } },
      900561,
      400,
      'invalid_request',
      /Received a GET/,
    ],
    [
      'names the empty tenant',
      { tenant: '00000000-0000-0000-0000-000000000000' },
      900021,
      400,
      'invalid_request',
      /empty GUID/,
    ],
    [
      'names a tenant that is no domain',
      { tenant: 'contoso' },
      900023,
      400,
      'invalid_request',
      /'contoso' is neither/,
    ],
    [
      'names an unknown tenant',
      { tenant: '99999999-9999-4999-8999-999999999999' },
      90002,
      400,
      'invalid_request',
      /not found/,
    ],
    [
      'names an unknown domain',
      { tenant: 'fabrikam.com' },
      90002,
      400,
      'invalid_request',
      /'fabrikam.com' not found/,
    ],
    [
      'has no grant type',
      { form: { grant_type: undefined } },
      900144,
      400,
      'invalid_request',
      /'grant_type'/,
    ],
    [
      'has a JSON body',
      { init: { headers: { 'content-type': 'application/json' } } },
      900144,
      400,
      'invalid_request',
      /'grant_type'/,
    ],
    [
      'has another grant type',
      { form: { grant_type: 'password' } },
      70003,
      400,
      'unsupported_grant_type',
      /'password'/,
    ],
    [
      'has no client id',
      { form: { client_id: '' } },
      900144,
      400,
      'invalid_request',
      /'client_id'/,
    ],
    [
      'has a client id that is no GUID',
      { form: { client_id: 'orders' } },
      90013,
      400,
      'invalid_request',
      /Invalid input/,
    ],
    ['has no scope', { form: { scope: undefined } }, 900144, 400, 'invalid_request', /'scope'/],
    [
      'has no resource (v1)',
      { version: 1, form: { resource: undefined } },
      900144,
      400,
      'invalid_request',
      /'resource'/,
    ],
    [
      'has a scope without /.default',
      { form: { scope: 'https://vault.azure.net/user_impersonation' } },
      1002012,
      400,
      'invalid_scope',
      /\/\.default/,
    ],
    [
      'has a scope that is /.default alone',
      { form: { scope: '/.default' } },
      1002012,
      400,
      'invalid_scope',
      /\/\.default/,
    ],
    [
      'has two scopes',
      { form: { scope: 'https://vault.azure.net/.default https://storage.azure.com/.default' } },
      70011,
      400,
      'invalid_scope',
      /not valid/,
    ],
    [
      'asks for an unknown resource',
      { form: { scope: 'https://unknown.test/.default' } },
      500011,
      400,
      'invalid_resource',
      /https:\/\/unknown.test was not found in the tenant named Contoso/,
    ],
    [
      'has no assertion',
      { form: { client_assertion: undefined } },
      7000216,
      401,
      'invalid_client',
      /'client_assertion'/,
    ],
    [
      'has an empty assertion',
      { assertion: '' },
      7000216,
      401,
      'invalid_client',
      /'client_assertion'/,
    ],
    [
      'has a client secret',
      { form: { client_assertion: undefined, client_secret: 'x' } },
      7000215,
      401,
      'invalid_client',
      /Invalid client secret/,
    ],
    [
      'has no assertion type',
      { form: { client_assertion_type: undefined } },
      900144,
      400,
      'invalid_request',
      /'client_assertion_type'/,
    ],
    [
      'has an unknown assertion type',
      { form: { client_assertion_type: 'saml' } },
      90013,
      400,
      'invalid_request',
      /Invalid input/,
    ],
    [
      'has an assertion that is no JWT',
      { assertion: 'not.a.jwt' },
      50027,
      400,
      'invalid_request',
      /malformed/,
    ],
    [
      'has an assertion that is cut off',
      { assertion: 'eyJhbGciOiJSUzI1NiJ9.eyJpc3' },
      50027,
      400,
      'invalid_request',
      /malformed/,
    ],
  ])('%s', async (_, attempt, code, status, error, text) => {
    await using simulator = await startInMemory()
    const { status: gotStatus, body } = await exchange(simulator, attempt)
    expect({ ...body, gotStatus }).toMatchObject({ error, error_codes: [code], gotStatus: status })
    expect(body['error_description']).toMatch(text)
    expect(body['error_description']).toMatch(new RegExp(`^AADSTS${code}: `, 'u'))
  })
})

describe('the shape of a refusal', () => {
  test('is that of Entra: trailer, ids, time, link and headers', async () => {
    await using simulator = await startInMemory()
    const { body, headers } = await exchange(simulator, { form: { client_id: REPORTS.clientId } })
    const traceId = headers.get('x-ms-request-id')
    expect(body).toEqual({
      error: 'invalid_client',
      error_description: `AADSTS70025: The client '${REPORTS.clientId}'(reports) has no configured federated identity credentials. Trace ID: ${traceId} Correlation ID: ${CORRELATION_ID} Timestamp: 2026-11-24 12:00:00Z`,
      error_codes: [70025],
      timestamp: '2026-11-24 12:00:00Z',
      trace_id: traceId,
      correlation_id: CORRELATION_ID,
      error_uri: 'https://entra.test/error?code=70025',
    })
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(headers.get('cache-control')).toBe('no-store, no-cache')
    expect(headers.get('date')).toBe('Tue, 24 Nov 2026 12:00:00 GMT')
  })

  test('has CRLF before the trailer when it is told to be of before 2024', async () => {
    await using simulator = await startInMemory({ trailerSeparator: '\r\n' })
    const { body } = await exchange(simulator, { form: { client_id: REPORTS.clientId } })
    expect(body['error_description']).toMatch(/credentials\.\r\nTrace ID: \S+\r\nCorrelation ID: /)
  })

  test.each([
    [
      'query',
      {
        path: `/oauth2/v2.0/token?client-request-id=${CORRELATION_ID}`,
        form: { 'client-request-id': undefined, grant_type: undefined },
      },
    ],
    [
      'header',
      {
        init: { headers: { 'client-request-id': CORRELATION_ID } },
        form: { 'client-request-id': undefined, grant_type: undefined },
      },
    ],
  ])('echoes the client-request-id of the %s', async (_, attempt) => {
    await using simulator = await startInMemory()
    expect((await exchange(simulator, attempt)).body).toMatchObject({
      correlation_id: CORRELATION_ID,
    })
  })

  test('does not echo what is no GUID', async () => {
    await using simulator = await startInMemory()
    const { body } = await exchange(simulator, {
      form: { 'client-request-id': '<script>', grant_type: undefined },
    })
    expect(body['correlation_id']).toMatch(/^[0-9a-f-]{36}$/)
  })

  test.each([[900612], [90033], [900382]])('has no link for AADSTS%i', async (code) => {
    await using simulator = await startInMemory()
    simulator.faults.add({ kind: 'aadsts', code })
    expect((await exchange(simulator)).body).not.toHaveProperty('error_uri')
  })
})

test('a JSON answer announces the bytes of its text', () => {
  expect(jsonResponse(200, { name: 'é' }).headers.get('content-length')).toBe('13')
})
