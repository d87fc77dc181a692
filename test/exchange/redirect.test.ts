import { expect, test } from 'vitest'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { request, roundTrip } from '../fixtures/connection.ts'
import { environmentOf, startServe } from '../fixtures/served.ts'

test('a redirect over a real connection is an error of the request and of nothing else', async () => {
  await using world = await createSimulator()
  world.faults.add({ kind: 'redirect', to: 'https://elsewhere.test/', times: 1 })
  await using sidecar = await startServe(environmentOf(world))
  const ask = (resource: string) =>
    roundTrip(
      sidecar.port,
      request(`/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${resource}`),
    )
  expect((await ask('https://vault.azure.net')).body).toContain('entra_redirected')
  // The body that was thrown away has an end, too: an uncaught error of its would fail this run.
  expect((await ask('https://storage.azure.com')).status).toBe(200)
})
