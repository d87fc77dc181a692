import { expect, test } from 'vitest'
import { parseHttpDate, postAssertion } from '../../../src/broker/exchange/token-endpoint.ts'
import { ENTRA } from '../../../src/broker/exchange/transport-errors.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { createSimulator } from '../../../src/tools/simulator/simulator.ts'
import { request, roundTrip } from '../../fixtures/connection.ts'
import { identityOf } from '../../fixtures/identity.ts'
import { environmentOf, startServe } from '../../fixtures/served.ts'

test('sends the form of the client credentials flow, and nothing of the environment', async () => {
  await using simulator = await createSimulator()
  const bodies: unknown[] = []
  const dispatcher = simulator.dispatcher.compose((dispatch) => (options, handler) => {
    bodies.push(options.body)
    return dispatch(options, handler)
  })
  const correlationId = '4bf92f35-77b3-4da6-a3ce-929d0e0e4736'
  await postAssertion(
    { identity: identityOf(simulator), scope: 'https://vault.azure.net/.default', correlationId },
    {
      route: { dispatcher, destination: ENTRA },
      tokenHost: new URL(simulator.authorityHost).host,
      assertion: new Secret('eyJ+/='),
      signal: new AbortController().signal,
    },
  )
  expect(bodies.map((body) => Object.fromEntries(new URLSearchParams(String(body))))).toEqual([
    {
      client_id: simulator.clientId,
      scope: 'https://vault.azure.net/.default',
      grant_type: 'client_credentials',
      client_assertion: 'eyJ+/=',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      'client-request-id': correlationId,
      'x-ms-lib-capability': 'retry-after, h429',
    },
  ])
})

test('fails a redirected request over a real connection, and none after it', async () => {
  await using simulator = await createSimulator()
  const headers = { location: 'https://elsewhere.test/' }
  simulator.faults.add({ kind: 'status', status: 307, headers, times: 1 })
  await using sidecar = await startServe(environmentOf(simulator))
  const getToken = (resource: string) =>
    roundTrip(
      sidecar.port,
      request(`/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${resource}`),
    )
  expect((await getToken('https://vault.azure.net')).body).toContain('entra_redirected')
  // An uncaught error of the destroyed body would fail this test run.
  expect((await getToken('https://storage.azure.com')).status).toBe(200)
})

test('parseHttpDate reads an IMF-fixdate', () => {
  expect(parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT')).toBe(Date.UTC(1994, 10, 6, 8, 49, 37))
})

test.each([
  '',
  'garbage 5000',
  'max-age=3600',
  'in 2100',
  '2100',
  '2026-11-24T00:00:00Z',
  'Invalid Date',
  'Sunday, 06-Nov-94 08:49:37 GMT',
  'Sun Nov  6 08:49:37 1994',
  'Sun, 06 Nov 1994 08:49:37 +0100',
  'Sun, 6 Nov 1994 08:49:37 GMT',
  'Mon, 06 Nov 1994 08:49:37 GMT',
  'Sun, 31 Feb 2027 08:49:37 GMT',
])('parseHttpDate returns undefined for %j', (text) => {
  expect(parseHttpDate(text)).toBeUndefined()
})
