import { expect, test } from 'vitest'
import { parseHttpDate, postForm } from '../../../src/broker/exchange/token-endpoint.ts'
import { ENTRA } from '../../../src/broker/exchange/transport-errors.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { createSimulator } from '../../../src/tools/simulator/simulator.ts'
import { request, roundTrip } from '../../fixtures/connection.ts'
import { environmentOf, startServe } from '../../fixtures/served.ts'

test.each(['http://login.test/token', 'https://login.test:444/token'])(
  'does not send the assertion to %s when https://login.test is allowed',
  async (url) => {
    await using simulator = await createSimulator()
    const form = { headers: {}, body: 'client_assertion=x' }
    const sent = postForm(url, form, {
      route: { dispatcher: simulator.dispatcher, destination: ENTRA },
      allowedHost: 'login.test',
      assertion: new Secret('x'),
      signal: new AbortController().signal,
    })
    await expect(sent).rejects.toMatchObject({
      code: 'entra_host_not_allowed',
      message: expect.stringContaining('Fix: report this as a bug of wimds'),
    })
  },
)

test('a redirect fails its request over a real connection, and no request after it', async () => {
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

test.each([
  ['Sun, 06 Nov 1994 08:49:37 GMT', Date.UTC(1994, 10, 6, 8, 49, 37)],
  ['in 2100', undefined],
  ['Invalid Date', undefined],
  ['Sun, 31 Feb 2027 08:49:37 GMT', undefined],
])('parseHttpDate of %j returns %s', (text, expected) => {
  expect(parseHttpDate(text)).toBe(expected)
})
