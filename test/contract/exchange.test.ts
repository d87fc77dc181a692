import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSimulator, type Simulator } from '../../src/tools/simulator/simulator.ts'
import { openConnection, request, roundTrip } from '../fixtures/connection.ts'
import { environmentOf, startServe } from '../fixtures/served.ts'

const target = (resource: string): string =>
  `/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${resource}`

let simulator: Simulator
let sidecar: Awaited<ReturnType<typeof startServe>>
beforeEach(async () => {
  simulator = await createSimulator()
  sidecar = await startServe({ ...environmentOf(simulator), WIMDS_MAX_CONNECTIONS: '300' })
})
afterEach(async () => {
  await sidecar[Symbol.asyncDispose]()
  await simulator.close()
})

const get = (path: string, options = {}) => roundTrip(sidecar.port, request(path, options))

test('200 callers of one new resource cost one exchange', async () => {
  simulator.faults.add({ kind: 'delay', ms: 100 })
  const path = target('https://storage.azure.com')
  const callers = Array.from({ length: 200 }, () => get(path))
  const replies = await Promise.all(callers)
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]))
  const metrics = (await roundTrip(sidecar.adminPort, request('/metrics'))).body
  expect(metrics).toMatch(/^wimds_exchange_duration_seconds_count\{code="ok"\} 1$/m)
})

test('answers probes and documents at once while Entra hangs', async () => {
  simulator.faults.add({ kind: 'hang' })
  await using waiting = await openConnection(sidecar.port)
  waiting.write(request(target('https://vault.azure.net')))
  await expect.poll(() => simulator.exchanges()).toBeGreaterThan(0)
  const probes = [
    get('/metadata/identity/oauth2/token', { headers: { Metadata: undefined } }),
    get('/metadata/identity/oauth2/token'),
    get('/metadata/identity/getplatformmetadata', { headers: { Metadata: undefined } }),
    get('/metadata/instance?api-version=2021-02-01'),
    get('/readyz', { headers: { Metadata: undefined } }),
  ]
  const replies = await Promise.all(probes)
  expect(replies.map(({ status }) => status)).toEqual([400, 400, 403, 403, 200])
  expect(waiting.isClosed()).toBe(false)
})
