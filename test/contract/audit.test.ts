import { decodeJwt } from 'jose'
import { expect, test } from 'vitest'
import { createSimulator, type Simulator } from '../../src/tools/simulator/simulator.ts'
import { request, roundTrip, TOKEN } from '../fixtures/connection.ts'
import { environmentOf, startServe } from '../fixtures/served.ts'
import { findPiece } from './secrets.ts'

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736'
const GUID = '4bf92f35-77b3-4da6-a3ce-929d0e0e4736'

/** Requests one token three times, from two different client libraries. Returns the events and the token. */
async function requestTokens(env: Record<string, string>) {
  await using simulator = await createSimulator()
  await using sidecar = await startServe({ ...environmentOf(simulator), ...env })
  const bodies: string[] = []
  for (const agent of ['curl/8.0.1', 'curl/8.0.1', 'Wget/1.21.3']) {
    const headers = { 'User-Agent': agent, traceparent: `00-${TRACE_ID}-00f067aa0ba902b7-01` }
    bodies.push((await roundTrip(sidecar.port, request(TOKEN, { headers }))).body)
  }
  const { access_token: token }: { access_token: string } = JSON.parse(bodies[0] ?? '')
  return { token, events: sidecar.events(), log: sidecar.log(), sent: sentIds(simulator) }
}

/** Returns the correlation ids that Entra ID has received, each once: an exchange may have several attempts. */
const sentIds = ({ log }: Simulator) => [
  ...new Set(
    log.entries().flatMap((entry) => (entry.target === 'token' ? [entry.correlationId] : [])),
  ),
]

test('token_obtained has the ids of the token and its assertion, and not the token', async () => {
  const { token, events, log, sent } = await requestTokens({})
  expect(sent).toEqual([GUID])
  const { uti, oid } = decodeJwt(token)
  expect(events.filter(({ event }) => event === 'token_obtained')).toMatchObject([
    {
      uti,
      oid,
      correlationId: GUID,
      issuer: expect.stringMatching(/^https:/),
      subject: expect.stringMatching(/^system:serviceaccount:/),
    },
  ])
  expect(events.filter(({ event }) => event === 'token_served')).toEqual([])
  expect(findPiece(token, log)).toBeUndefined()
})

test('WIMDS_AUDIT_LOG logs each client library that gets a token for the first time', async () => {
  const { token, events, log } = await requestTokens({ WIMDS_AUDIT_LOG: 'true' })
  const { uti, oid } = decodeJwt(token)
  const served = { uti, oid, protocol: 'imds', correlationId: GUID, identity: expect.any(String) }
  expect(events.filter(({ event }) => event === 'token_served')).toMatchObject([
    { ...served, client: 'curl/8.0.1' },
    { ...served, client: 'wget/1.21.3' },
  ])
  expect(findPiece(token, log)).toBeUndefined()
})

test('an exchange without a trace has a new correlation id, even if Entra ID rejects it', async () => {
  await using simulator = await createSimulator()
  await using sidecar = await startServe(environmentOf(simulator))
  simulator.faults.add({ kind: 'aadsts', code: 7000112 })
  for (const resource of ['https://vault.azure.net', 'https://storage.azure.com']) {
    await roundTrip(sidecar.port, request(TOKEN.replace('https://vault.azure.net', resource)))
  }
  const failed = sidecar.events().filter(({ event }) => event === 'exchange_failed')
  const [first, second, ...more] = sentIds(simulator)
  expect(first).toMatch(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  expect(more).toEqual([])
  expect(failed).toMatchObject([
    { correlationId: first, entraCorrelationId: first, entraTraceId: expect.any(String) },
    { correlationId: second, entraCorrelationId: second },
  ])
})
