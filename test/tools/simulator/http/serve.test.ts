import { fetch } from 'undici'
import { expect, test } from 'vitest'
import { createSimulator } from '../../../../src/tools/simulator/simulator.ts'

test('reset mid-body: the RST follows the headers and half of the body', async () => {
  await using simulator = await createSimulator()
  simulator.faults.add({ kind: 'reset', when: 'mid-body' })
  const { authorityHost, tenantId, dispatcher } = simulator
  const url = `${authorityHost}/${tenantId}/oauth2/v2.0/token`
  const response = await fetch(url, { method: 'POST', dispatcher })
  const parts: Uint8Array[] = []
  const reading = (async () => {
    for await (const part of response.body ?? []) parts.push(part)
  })()
  await expect(reading).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } })
  const length = Number(response.headers.get('content-length'))
  expect(Buffer.concat(parts)).toHaveLength(Math.ceil(length / 2))
})
