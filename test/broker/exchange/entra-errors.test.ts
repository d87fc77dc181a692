import { describe, expect, test } from 'vitest'
import { parseEntraError } from '../../../src/broker/exchange/entra-errors.ts'
import type { TokenEndpointResponse } from '../../../src/broker/exchange/token-endpoint.ts'

const MINUTE_MS = 60_000
const NOW = Date.parse('2026-11-28T12:00:00Z')
const ASSERTION = {
  issuer: 'https://issuer.test/',
  subject: 'system:serviceaccount:shop:orders',
  audience: ['api://AzureADTokenExchange'],
  expiresAt: NOW + 60 * MINUTE_MS,
}

/** Returns the error of a response. By default the assertion is valid, and the clock is right. */
const reject = (response: Partial<TokenEndpointResponse>, assertion = {}, now = NOW) =>
  parseEntraError(
    { status: 401, headers: {}, text: '', json: undefined, date: NOW, ...response },
    { ...ASSERTION, ...assertion },
    now,
  )

const aadsts = (code: number, more = {}) => ({
  json: {
    error: 'invalid_client',
    error_description: `AADSTS${code}: no.`,
    error_codes: [code],
    ...more,
  },
})

test('truncates the claims and the ids of an error that are longer than usual', () => {
  const long = 'x '.repeat(20_000)
  const audience: string[] = Array(1000).fill('b')
  const claims = { issuer: `https://issuer.test/${long}`, subject: long, audience }
  const ids = { error: long, trace_id: long, correlation_id: long }
  const error = reject(aadsts(700213, ids), claims)
  expect(error.code).toBe('federated_credential_not_found')
  const text = 'x '.repeat(50)
  expect(error.entra).toMatchObject({ error: text, traceId: text, correlationId: text })
  expect(JSON.stringify([error.message, error.entra]).length).toBeLessThan(4000)
})

test.each<[string, Partial<TokenEndpointResponse>, string]>([
  ['a page', { status: 404, text: '<html>' }, 'entra_bad_response'],
  ['no error', { status: 403, json: { error_description: 'blocked' } }, 'entra_bad_response'],
  ['an unknown number', aadsts(1_234_567), 'entra_request_rejected'],
  ['a number that is only in the text', aadsts(90033, { error_codes: 1 }), 'entra_unavailable'],
])('a response with %s becomes an error code with a fix', (_, response, code) => {
  expect(reject(response)).toMatchObject({ code, fix: expect.stringMatching(/.{10}/) })
})

test('scrubs and truncates the page of another server', () => {
  const rest = ' x'.repeat(500)
  const text = `<p>${'aB3'.repeat(20)} http://user:password@proxy</p>${rest}`
  const shown = `<p>[redacted] http://[redacted]@proxy</p>${rest}`.slice(0, 200).trim()
  expect(reject({ status: 503, text }).problem).toBe(
    `the token endpoint answered 503 ${JSON.stringify(shown)}`,
  )
})

test.each([
  [' 7\t', 7000],
  [new Date(NOW + 90_000).toUTCString(), 90_000],
  // The limit is 50 minutes, which jitter can make an hour.
  ['9'.repeat(400), 50 * MINUTE_MS],
  ['in 2100', undefined],
])('reads a Retry-After of %j by Entra’s clock as %s ms', (value, ms) => {
  const headers = { 'retry-after': value }
  const { retryAfterMs, problem } = reject({ status: 429, headers }, {}, NOW - 20 * MINUTE_MS)
  expect(retryAfterMs).toBe(ms)
  expect(problem.includes('; Entra ID asks to wait')).toBe(ms !== undefined)
})

test.each([
  [7_200_000, 'assertion_expired', 'the clock of this machine is 7200 s behind'],
  [-900_000, 'assertion_not_yet_valid', 'the clock of this machine is 900 s ahead of'],
])('names the clock of a node that is %d ms off, and not the kubelet', (offsetMs, code, text) => {
  expect(reject({ ...aadsts(700024), date: NOW + offsetMs })).toMatchObject({
    code,
    status: 503,
    entra: { aadsts: 700024 },
    problem: expect.stringContaining(text),
    fix: expect.stringContaining('NTP'),
  })
})

describe('a token of an issuer that is internal to the cluster', () => {
  const issuer = 'https://kubernetes.default.svc.cluster.local'

  test.each([
    ['has no federated credential', 700211],
    ['has one with another subject', 700213],
    ['has an issuer that Entra ID cannot read', 50166],
  ])('cannot work when the identity %s', (_, code) => {
    expect(reject(aadsts(code), { issuer })).toMatchObject({
      code: 'issuer_unreachable',
      isPermanent: true,
      status: 400,
      entra: { aadsts: code },
      problem: `AADSTS${code}: no. Entra ID cannot reach the issuer ${issuer}, which is internal to the cluster`,
      fix: expect.stringContaining('--enable-oidc-issuer'),
    })
  })

  test.each([
    [700016, 'application_refused', true],
    // Entra ID has read the keys of the issuer.
    [7000272, 'issuer_unreachable', false],
  ])('does not change the error of AADSTS%d', (code, expected, isPermanent) => {
    expect(reject(aadsts(code), { issuer })).toMatchObject({ code: expected, isPermanent })
  })
})
