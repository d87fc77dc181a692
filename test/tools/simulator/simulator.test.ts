import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { fetch } from 'undici'
import { expect, test } from 'vitest'
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
