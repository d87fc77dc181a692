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

test.each(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED'])(
  '%s leads to the clock, not to the CA',
  (code) => {
    const { fix } = toTransportError(Object.assign(new Error('no'), { code }), ENTRA)
    expect(fix).toMatch(/^compare the clock of the node/)
  },
)
