import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { fetch } from 'undici'
import { expect, test } from 'vitest'
import { ORDERS, TENANT_ID } from '../../../src/tools/simulator/defaults.ts'
import { createSimulator } from '../../../src/tools/simulator/simulator.ts'

test('the dispatcher refuses other hosts', async () => {
  await using simulator = await createSimulator()
  await expect(fetch('https://other.test/', simulator)).rejects.toMatchObject({
    cause: { message: 'nothing listens at other.test' },
  })
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

test('a directory without applications has the settings of its tenant', async () => {
  await using simulator = await createSimulator({ directory: { applications: [] } })
  expect(simulator.settings).toMatchObject({
    AZURE_TENANT_ID: TENANT_ID,
    AZURE_CLIENT_ID: ORDERS.clientId,
  })
})
