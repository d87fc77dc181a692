import { readFile } from 'node:fs/promises'
import { createRemoteJWKSet, customFetch, jwtVerify } from 'jose'
import { Agent, fetch, type Dispatcher } from 'undici'
import { expect, test } from 'vitest'
import { createWorld, type World } from '../../src/simulator/world.ts'

async function exchange(world: World, dispatcher: Dispatcher, clientId = world.clientId) {
  const response = await fetch(`${world.authorityHost}/${world.tenantId}/oauth2/v2.0/token`, {
    method: 'POST',
    dispatcher,
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      scope: 'https://vault.azure.net/.default',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await readFile(world.tokenFile, 'utf8'),
    }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

test.each([
  ['on ports', true],
  ['in memory', false],
])('the projected token buys a secret %s', async (_, ports) => {
  await using world = await createWorld({ ports })
  await using dispatcher = ports
    ? disposable(new Agent({ connect: { ca: world.caPem } }))
    : disposable(world.dispatcher)
  const { status, body } = await exchange(world, dispatcher.value)
  expect(status, JSON.stringify(body)).toBe(200)

  const secret = await fetch(`${world.vaultUrl}/secrets/database-password?api-version=7.4`, {
    dispatcher: dispatcher.value,
    headers: { authorization: `Bearer ${String(body['access_token'])}` },
  })
  expect(await secret.json()).toMatchObject({ value: 'correct-horse' })
})

const disposable = (value: Dispatcher) => ({
  value,
  [Symbol.asyncDispose]: () => value.close(),
})
