/** The cards of all error codes: each says what to do, whatever Entra ID, the network or the file system answers. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type BrokerError,
  type ErrorCode,
  listCodes,
  toBrokerError,
} from '../../../src/lib/errors.ts'
import {
  createExpiredError,
  readAssertion,
  requireAudience,
} from '../../../src/broker/exchange/assertion.ts'
import { parseEntraError, parseTokenProxyError } from '../../../src/broker/exchange/entra-errors.ts'
import { postForm } from '../../../src/broker/exchange/token-endpoint.ts'
import { ENTRA, toTransportError } from '../../../src/broker/exchange/transport-errors.ts'
import { requireSubject } from '../../../src/node/broker/workload.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { createSimulator, type Simulator } from '../../../src/tools/simulator/simulator.ts'
import { renderProblems } from '../../../src/broker/status-page/page.ts'
import { createOverloadedError } from '../../../src/broker/tokens/failure.ts'
import { NOW } from '../../fixtures/parts.ts'
import { cached, failing, observe, readable } from '../telemetry/observed.ts'

const FILE = '/var/run/token'
const { assertion } = readable

let simulator: Simulator
beforeAll(async () => {
  simulator = await createSimulator()
})
afterAll(() => simulator.close())

const fileError = (code: string) => () =>
  readAssertion(FILE, () => Promise.reject(Object.assign(new Error(code), { code })))
const fileWith = (text: string) => () => readAssertion(FILE, () => Promise.resolve(text))
const network = (code: string) => () =>
  toTransportError(Object.assign(new Error(code), { code }), ENTRA)
const rejected =
  (status: number, json?: Readonly<Record<string, unknown>>, text = '') =>
  () =>
    parseEntraError({ status, headers: {}, json, text, date: undefined }, assertion, NOW)

/** Posts to a URL that answers a redirect. */
function post(url: string): Promise<unknown> {
  const location = 'https://portal.test'
  simulator.faults.add({ kind: 'status', status: 307, headers: { location }, times: 1 })
  return postForm(
    url,
    { headers: {}, body: '' },
    {
      route: { dispatcher: simulator.dispatcher, destination: ENTRA },
      allowedHost: new URL(simulator.authorityHost).host,
      assertion: new Secret('x'),
      signal: new AbortController().signal,
    },
  )
}

type Fail = () => unknown

/** How a token or the projected token fails with each code. */
const FAILURES: Readonly<Partial<Record<ErrorCode, Fail | readonly Fail[]>>> = {
  overloaded: () => createOverloadedError('too many exchanges are running', 'find the client'),
  assertion_missing: fileError('ENOENT'),
  assertion_unreadable: fileError('EACCES'),
  assertion_empty: fileWith(''),
  assertion_malformed: fileWith('not a token'),
  assertion_expired: () => createExpiredError(FILE, assertion),
  assertion_audience: () => requireAudience({ ...assertion, audience: ['kubernetes'] }, FILE),
  assertion_subject: () => requireSubject(assertion, FILE, 'system:serviceaccount:shop:other'),
  entra_unreachable: network('ECONNREFUSED'),
  entra_tls: network('CERT_HAS_EXPIRED'),
  entra_timeout: network('ETIMEDOUT'),
  entra_throttled: [
    rejected(429, undefined, 'Too Many Requests'),
    rejected(400, { error: 'invalid_request', error_codes: [90055] }),
  ],
  entra_unavailable: [rejected(503), rejected(500, { error_description: 'AADSTS90033: wait' })],
  entra_bad_response: [
    rejected(404, undefined, '<html>'),
    rejected(403, { error_description: 'blocked' }),
  ],
  entra_redirected: () => post(`${simulator.authorityHost}/tenant/oauth2/v2.0/token`),
  entra_host_not_allowed: () => post('https://evil.test/token'),
  federated_credential_not_found: aadsts(700213),
  federated_credential_mismatch: aadsts(700212),
  assertion_refused: aadsts(700027),
  assertion_not_yet_valid: aadsts(700024),
  issuer_unreachable: aadsts(50166),
  application_refused: aadsts(700016),
  tenant_refused: aadsts(90002),
  resource_refused: aadsts(500011),
  policy_refused: aadsts(53003),
  token_proxy_forbidden: () =>
    parseTokenProxyError(
      { status: 403, headers: {}, json: {}, text: '', date: undefined },
      assertion,
      'an-id',
      0,
    ),
  entra_request_rejected: [
    rejected(400, { error: 'invalid_request' }),
    aadsts(900144),
    aadsts(1234567),
  ],
  internal: () => new TypeError('unexpected'),
}

function aadsts(code: number): Fail {
  return rejected(400, { error: 'invalid_client', error_description: `AADSTS${code}: no` })
}

/** Returns the error of a failure, which is thrown or returned. */
async function errorOf(fail: Fail): Promise<BrokerError> {
  try {
    return toBrokerError(await fail())
  } catch (error) {
    return toBrokerError(error)
  }
}

/** Returns the card of a token that is still served and fails with this error. */
function cardOf(error: BrokerError): string {
  const entry = {
    ...cached(),
    ...failing(error.code, 1, { failure: { error, count: 1, since: 0 } }),
  }
  return renderProblems(observe({ entries: [entry] }).document([])).markup
}

describe('the card says what to do', () => {
  const cases = Object.entries(FAILURES).flatMap(([code, fails]) =>
    [fails].flat().map((fail) => [code, fail] as const),
  )
  test.each(cases)('about %s', async (code, fail) => {
    const error = await errorOf(fail)
    expect(error.code).toBe(code)
    expect(cardOf(error)).toMatch(/<strong>Fix:<\/strong> .{10}/)
  })

  test('without an identity', () => {
    const { document } = observe({ directory: { identities: [] } })
    expect(renderProblems(document([])).markup).toMatch(/<strong>Fix:<\/strong> .{10}/)
  })
})

test('there is a card for each code of an exchange and of the projected token', () => {
  for (const code of [...listCodes('assertion'), ...listCodes('exchange')]) {
    expect(FAILURES).toHaveProperty(code)
  }
})
