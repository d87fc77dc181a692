import { expect, test } from 'vitest'
import { ENTRA, toTransportError } from '../../../src/broker/exchange/transport-errors.ts'
import { type Attempt, ConnectError } from '../../../src/lib/connect-error.ts'

const attempts = (count: number, family: 4 | 6, code: string): Attempt[] =>
  Array.from({ length: count }, () => ({ address: 'address', family, code }))

const FIREWALL = /^check the firewall/
const DNS = /DNS of the pod$/
const BOTH = [...attempts(8, 4, 'ETIMEDOUT'), ...attempts(1, 6, 'ENETUNREACH')]
const SILENCE = '8 IPv4 addresses did not answer, 1 IPv6 address failed (ENETUNREACH)'

test.each<[string, string, readonly Attempt[], string, string, RegExp]>([
  ['whose addresses were silent', 'ETIMEDOUT', BOTH, 'entra_timeout', SILENCE, FIREWALL],
  ['without an address', 'ENOTFOUND', [], 'entra_unreachable', '(ENOTFOUND)', DNS],
  ['that is not resolved in time', 'ETIMEDOUT', [], 'entra_timeout', 'in time', DNS],
])('a host %s has an error that says so', (_, cause, tried, code, reason, fix) => {
  const failure = { host: 'login.example', port: 443, code: cause, attempts: tried }
  expect(toTransportError(new ConnectError(failure), ENTRA)).toMatchObject({
    code,
    problem: expect.stringContaining(reason),
    fix: expect.stringMatching(fix),
  })
})

const CLOCK = /^compare the clock of the node/
test.each([
  ['CERT_NOT_YET_VALID', CLOCK],
  ['CERT_HAS_EXPIRED', CLOCK],
  ['ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR', /WIMDS_CA_FILE/],
])('%s is a failure of TLS with the fix %s', (code, fix) => {
  const error = toTransportError(Object.assign(new Error('no'), { code }), ENTRA)
  expect(error).toMatchObject({ code: 'entra_tls', fix: expect.stringMatching(fix) })
})
