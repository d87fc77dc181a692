import { expect, test } from 'vitest'
import { imds, imdsOfAnyVersion } from '../../../src/broker/dialects/imds.ts'
import { BrokerError, type ErrorCode } from '../../../src/lib/errors.ts'
import { computeExpiry } from '../../../src/broker/tokens/lifetime.ts'
import { aToken, NOW, ORDERS } from '../../fixtures/parts.ts'
import { thrown, thrownCode } from './thrown-code.ts'

const VALID = 'api-version=2018-02-01&resource=https://vault.azure.net'

function parse(query: string, headers: Record<string, string> = { metadata: 'true' }) {
  return imds.parse({ query, headers })
}

test.each([undefined, 'false', 'true, true'])(
  'rejects the header Metadata: %s before it parses the query',
  (metadata) => {
    const headers: Record<string, string> = metadata === undefined ? {} : { metadata }
    for (const query of [VALID, '%']) {
      expect(thrownCode(() => parse(query, headers))).toBe('metadata_header_missing')
    }
  },
)

test.each(['2018-02-01', '2024-02-29', '2099-01-01'])('accepts the api-version %s', (version) => {
  expect(parse(`resource=x&api-version=${version}`, { metadata: 'True' }).resource).toBe('x')
})

test.each(['', '2018-01-31', '2023-02-29', '2018-13-01', '99999-01-01'])(
  'rejects the api-version %j',
  (version) => {
    expect(thrownCode(() => parse(`resource=x&api-version=${version}`))).toBe('api_version_invalid')
  },
)

test.each(['', 'api-version=latest'])(
  'accepts %j in place of the azure-workload-identity proxy, which ignores it',
  (version) => {
    const query = `${version}&resource=x`
    expect(imdsOfAnyVersion.parse({ query, headers: { metadata: 'true' } }).resource).toBe('x')
    expect(thrownCode(() => imdsOfAnyVersion.parse({ query, headers: {} }))).toBe(
      'metadata_header_missing',
    )
  },
)

test('replies with the fix of an error, unless the text of the error is the real service’s', () => {
  const error = thrown(() => parse('resource=x'))
  const description = "Required query variable 'api-version' is missing"
  expect(error.message).toContain(`${description}. Fix: `)
  const body = `{"error":"invalid_request","error_description":"${description}","wimds":"api_version_invalid"}`
  expect(imds.renderError(error)).toMatchObject({ status: 400, body })
  const other = thrown(() => parse(`${VALID}&client_id=orders`))
  expect(imds.renderError(other).body).toMatch(/ Fix: /)
})

test('parses the known parameters and ignores unknown ones', () => {
  const unknown = 'authority=x&x-client-SKU=y&token_sha256_to_refresh=ab&claims={}'
  const query = `${VALID}&Client_Id=${ORDERS.clientId}&${unknown}&bypass_cache=True`
  expect(parse(query)).toEqual({
    resource: 'https://vault.azure.net',
    selector: { by: 'clientId', value: ORDERS.clientId },
    bypassCache: true,
  })
  expect(parse(`${VALID}&bypass_cache=false`)).not.toHaveProperty('bypassCache')
})

test('dates not_before before now and expires_on after it, even after the clock was set back', () => {
  const token = aToken('eyJ.t', 86_400_000)
  const clock = { wall: () => NOW - 36_000_000, monotonic: () => 60_000 }
  const query = { selector: { by: 'default' }, resource: 'https://vault.azure.net/' } as const
  const expiry = computeExpiry(token.lifetime, clock)
  const { body } = imds.render({ query, identity: ORDERS, token, ...expiry })
  const reply: Record<string, string> = JSON.parse(body)
  expect(Number(reply['not_before'])).toBeLessThan(clock.wall() / 1000)
  expect(Number(reply['expires_on'])).toBeGreaterThan(clock.wall() / 1000)
  expect(Number(reply['expires_on']) - Number(reply['not_before'])).toBe(86_400 + 300)
  expect(reply['ext_expires_in']).toBe('86400')
})

test.each<[ErrorCode, number, string, string, string?]>([
  ['metadata_header_missing', 400, 'invalid_request', 'x', 'metadata_header_missing'],
  ['identity_not_found', 400, 'invalid_request', 'Identity not found', 'identity_not_found: x'],
  [
    'identity_ambiguous',
    400,
    'invalid_request',
    // Clients match this sentence.
    'Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request',
    'identity_ambiguous: x',
  ],
  ['not_found', 404, 'not_found', 'x'],
  ['entra_throttled', 429, 'invalid_request', 'Temporarily throttled, too many requests'],
  ['entra_timeout', 504, 'service_unavailable', 'x (wimds: entra_timeout)'],
  ['internal', 500, 'server_error', 'x'],
])(
  'renders %s as %i %s in the real service’s words, with our code where an operator must act',
  (code, status, error, description, wimds) => {
    const body = JSON.stringify({ error, error_description: description, wimds })
    expect(imds.renderError(new BrokerError(code, 'x'))).toMatchObject({ status, body })
  },
)

test('renders an error of Entra ID with its members in their order', () => {
  const entra = {
    error: 'invalid_resource',
    aadsts: 500011,
    timestamp: '2026-11-24 12:00:00Z',
    traceId: 't',
    correlationId: 'c',
    errorUri: 'https://login.test/error?code=500011',
  }
  const error = new BrokerError('resource_refused', 'AADSTS500011: no', { entra })
  expect(imds.renderError(error)).toMatchObject({
    status: 400,
    body: '{"error":"invalid_resource","error_description":"AADSTS500011: no (wimds: resource_refused)","error_codes":[500011],"timestamp":"2026-11-24 12:00:00Z","trace_id":"t","correlation_id":"c","error_uri":"https://login.test/error?code=500011"}',
  })
})
