import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Agent, fetch, type Dispatcher } from 'undici'
import { expect, test } from 'vitest'
import { createSimulator } from '../../../src/tools/simulator/simulator.ts'
import { exchange } from './exchange.ts'

const readSecret = async (vaultUrl: string, dispatcher: Dispatcher, token: unknown) => {
  const response = await fetch(`${vaultUrl}/secrets/database-password?api-version=7.4`, {
    dispatcher,
    headers: { authorization: `Bearer ${String(token)}` },
  })
  return response.json()
}

test('with names, a projected token is exchanged for an access token, which reads a secret, and other hosts are refused', async () => {
  await using simulator = await createSimulator({ ports: false })
  const { body } = await exchange(simulator)
  expect(
    await readSecret(simulator.vaultUrl, simulator.dispatcher, body['access_token']),
  ).toMatchObject({
    value: 'correct-horse',
  })
  await expect(fetch('https://other.test/', simulator)).rejects.toMatchObject({
    cause: { message: 'nothing listens at other.test' },
  })
})

test('on ports, all requests use TLS, including those to the issuer', async () => {
  await using simulator = await createSimulator()
  const agent = new Agent({ connect: { ca: await readFile(simulator.caFile) } })
  try {
    const { body } = await exchange({ ...simulator, dispatcher: agent })
    expect(await readSecret(simulator.vaultUrl, agent, body['access_token'])).toMatchObject({
      value: 'correct-horse',
    })
    expect(simulator.log.counters().byTarget).toMatchObject({ token: 1, issuer: 2, vault: 1 })
  } finally {
    await agent.close()
  }
})

test('two simulators on one machine are independent', async () => {
  await using one = await createSimulator()
  await using other = await createSimulator()
  expect(one.authorityHost).not.toBe(other.authorityHost)
  const { body } = await exchange(one, { assertion: (await other.issuer.sign()).reveal() })
  expect(body).toMatchObject({ error_codes: [700211] })
})

test('close stops the servers, removes the temporary files, and may be called twice', async () => {
  const simulator = await createSimulator()
  const stateDir = dirname(simulator.caFile)
  await simulator.close()
  await simulator.close()
  expect(existsSync(stateDir)).toBe(false)
  await expect(fetch(simulator.authorityHost)).rejects.toMatchObject({
    cause: { code: 'ECONNREFUSED' },
  })
})
