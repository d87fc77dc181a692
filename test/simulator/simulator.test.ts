import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Agent, fetch, type Dispatcher } from 'undici'
import { expect, test } from 'vitest'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { exchange } from './exchange.ts'

const readSecret = async (vaultUrl: string, dispatcher: Dispatcher, token: unknown) => {
  const response = await fetch(`${vaultUrl}/secrets/database-password?api-version=7.4`, {
    dispatcher,
    headers: { authorization: `Bearer ${String(token)}` },
  })
  return response.json()
}

test('in memory, the projected token buys an access token and that a secret', async () => {
  await using world = await createSimulator({ ports: false })
  const { body } = await exchange(world)
  expect(await readSecret(world.vaultUrl, world.dispatcher, body['access_token'])).toMatchObject({
    value: 'correct-horse',
  })
})

test('on ports, the same goes over TLS, and the issuer is read over TLS too', async () => {
  await using world = await createSimulator()
  const agent = new Agent({ connect: { ca: await readFile(world.caFile) } })
  try {
    const { body } = await exchange({ ...world, dispatcher: agent })
    expect(await readSecret(world.vaultUrl, agent, body['access_token'])).toMatchObject({
      value: 'correct-horse',
    })
    expect(world.log.counters().byTarget).toMatchObject({ token: 1, issuer: 2, vault: 1 })
  } finally {
    await agent.close()
  }
})

test('two worlds on one machine do not meet', async () => {
  await using one = await createSimulator()
  await using other = await createSimulator()
  expect(one.authorityHost).not.toBe(other.authorityHost)
  const { body } = await exchange(one, { assertion: (await other.issuer.sign()).reveal() })
  expect(body).toMatchObject({ error_codes: [700211] })
})

test('closing ends the ports and removes the temporary files, and may be done twice', async () => {
  const world = await createSimulator()
  const stateDir = dirname(world.caFile)
  await world.close()
  await world.close()
  expect(existsSync(stateDir)).toBe(false)
  await expect(fetch(world.authorityHost)).rejects.toMatchObject({
    cause: { code: 'ECONNREFUSED' },
  })
})

test('a state directory that was given is kept', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'wimds-test-'))
  try {
    await using world = await createSimulator({ ports: false, stateDir })
    await world.close()
    expect(existsSync(join(stateDir, 'token', 'azure-identity-token'))).toBe(true)
  } finally {
    await rm(stateDir, { recursive: true })
  }
})

test('a port that is taken fails the world and leaves nothing behind', async () => {
  await using world = await createSimulator()
  const port = Number(new URL(world.authorityHost).port)
  await expect(createSimulator({ listen: { vault: { port } } })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  })
})
