import { createServer } from 'node:net'
import { request } from 'undici'
import { expect, test } from 'vitest'
import { ENTRA, toTransportError } from '../../../src/broker/exchange/transport-errors.ts'
import { type Attempt, ConnectError } from '../../../src/lib/connect-error.ts'
import { Agent } from '../../../src/lib/undici.ts'
import { listening } from '../../fixtures/listening.ts'

test('bytes that are not HTTP are a wrong response, not a failure to connect', async () => {
  await using server = await listening(
    createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')),
  )
  const dispatcher = new Agent()
  const error = await request(`http://127.0.0.1:${server.port}/`, { dispatcher }).catch(
    (thrown: unknown) => thrown,
  )
  expect(toTransportError(error, ENTRA)).toMatchObject({
    code: 'entra_bad_response',
    message: expect.stringMatching(/^Entra ID answered in another protocol than HTTP. Fix: check /),
  })
  await dispatcher.destroy()
})

const attempts = (count: number, family: 4 | 6, code: string): Attempt[] =>
  Array.from({ length: count }, () => ({
    address: family === 4 ? '10.0.0.1' : 'fd00::1',
    family,
    code,
  }))

test.each<[string, string, readonly Attempt[], string, string, RegExp]>([
  [
    'whose addresses were all silent',
    'ETIMEDOUT',
    [...attempts(8, 4, 'ETIMEDOUT'), ...attempts(1, 6, 'ENETUNREACH')],
    'entra_timeout',
    '8 IPv4 addresses did not answer, 1 IPv6 address failed (ENETUNREACH)',
    /^check the firewall/,
  ],
  [
    'that refuses',
    'ECONNREFUSED',
    attempts(2, 4, 'ECONNREFUSED'),
    'entra_unreachable',
    '2 IPv4 addresses failed (ECONNREFUSED)',
    /^check the firewall/,
  ],
  [
    'without an address',
    'ENOTFOUND',
    [],
    'entra_unreachable',
    'login.example cannot be resolved (ENOTFOUND)',
    /DNS of the pod$/,
  ],
  [
    'whose name is not resolved in time',
    'ETIMEDOUT',
    [],
    'entra_timeout',
    'login.example was not resolved in time',
    /DNS of the pod$/,
  ],
])('a host %s has an error that says so', (_, cause, tried, code, reason, fix) => {
  const failure = { host: 'login.example', port: 443, code: cause, attempts: tried }
  expect(toTransportError(new ConnectError(failure), ENTRA)).toMatchObject({
    code,
    problem: `Entra ID cannot be reached: ${reason}`,
    fix: expect.stringMatching(fix),
  })
})
