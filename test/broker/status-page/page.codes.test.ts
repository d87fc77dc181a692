/** Each error says what to do, whatever Entra ID, the network or the file system answers; the card of a problem shows it. */
import { expect, test } from 'vitest'
import {
  type BrokerError,
  ERROR_KINDS,
  type ErrorCode,
  isOfExchange,
  toBrokerError,
} from '../../../src/lib/errors.ts'
import {
  createAssertionReader,
  createExpiredError,
  requireAudience,
} from '../../../src/broker/exchange/assertion.ts'
import { parseEntraError, parseTokenProxyError } from '../../../src/broker/exchange/entra-errors.ts'
import { ENTRA, toTransportError } from '../../../src/broker/exchange/transport-errors.ts'
import { requireSubject } from '../../../src/node/broker/workload.ts'
import { createOverloadedError } from '../../../src/broker/tokens/failure.ts'
import { NOW } from '../../fixtures/parts.ts'
import { readable } from '../telemetry/observed.ts'

const FILE = '/var/run/token'
const { assertion } = readable

const read = (readFile: () => Promise<string>) => () => createAssertionReader({ readFile })(FILE)
const fileError = (code: string) =>
  read(() => Promise.reject(Object.assign(new Error(code), { code })))
const fileWith = (text: string) => read(() => Promise.resolve(text))
const network = (code: string) => () =>
  toTransportError(Object.assign(new Error(code), { code }), ENTRA)
const rejected =
  (status: number, json?: Readonly<Record<string, unknown>>, text = '') =>
  () =>
    parseEntraError({ status, headers: {}, json, text, date: undefined }, assertion, NOW)

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

const cases = Object.entries(FAILURES).flatMap(([code, fails]) =>
  [fails].flat().map((fail) => [code, fail] as const),
)
test.each(cases)('%s has a fix', async (code, fail) => {
  const error = await errorOf(fail)
  expect([error.code, error.fix]).toEqual([code, expect.stringMatching(/.{10}/)])
})

test('each code of an exchange and of the projected token can be made', () => {
  // These need a server: test/broker/exchange/token-endpoint.test.ts
  const { entra_redirected: _, entra_host_not_allowed: __, ...codes } = ERROR_KINDS
  const expected = Object.keys(codes).filter(isOfExchange)
  expect(Object.keys(FAILURES)).toEqual(expect.arrayContaining(expected))
})
