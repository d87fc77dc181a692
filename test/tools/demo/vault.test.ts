import { expect, test } from 'vitest'
import { startVault } from '../../../src/tools/demo/vault.ts'
import { exchange, startSimulator } from '../simulator/exchange.ts'

async function get(url: string, authorization?: string) {
  const headers = authorization === undefined ? {} : { authorization }
  const response = await fetch(`${url}/secrets/database-password`, { headers })
  return { status: response.status, body: await response.text() }
}

/** Requests a token, and returns the header for it. */
const tokenOf = async (...request: Parameters<typeof exchange>) =>
  `Bearer ${String((await exchange(...request)).body['access_token'])}`

const STORAGE = { form: { scope: 'https://storage.azure.com/.default' } }

test('the vault returns its secret for a token that is for it, and answers 401 to every other', async () => {
  await using simulator = await startSimulator({ now: Date.now })
  await using other = await startSimulator({ now: Date.now })
  await using past = await startSimulator()
  await using vault = await startVault(simulator)
  await using vaultOfPast = await startVault(past)
  // Its keys are those of every tenant.
  await using vaultOfOther = await startVault({ ...simulator, tenantId: 'common' })
  expect(await get(vault.url, await tokenOf(simulator))).toEqual({
    status: 200,
    body: '{"value":"correct-horse"}',
  })
  const outcomes = [
    await get(vault.url),
    await get(vault.url, 'Bearer nonsense'),
    await get(vault.url, await tokenOf(simulator, STORAGE)),
    await get(vault.url, await tokenOf(other)),
    await get(vaultOfPast.url, await tokenOf(past)),
    await get(vaultOfOther.url, await tokenOf(simulator)),
  ]
  expect(outcomes).toEqual(
    [/JWS/, /JWS/, /aud/, /key/, /exp/, /iss/].map((message) => ({
      status: 401,
      body: expect.stringMatching(message),
    })),
  )
})
