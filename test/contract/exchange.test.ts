import { afterEach, beforeEach, expect, test } from 'vitest'
import { BILLING } from '../../src/tools/simulator/defaults.ts'
import { openConnection, request, roundTrip } from '../fixtures/connection.ts'
import { startSidecar } from '../fixtures/sidecar.ts'

const target = (resource: string): string =>
  `/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${resource}`

let sidecar: Awaited<ReturnType<typeof startSidecar>>
beforeEach(async () => {
  sidecar = await startSidecar({ maxConnections: 300 })
})
afterEach(() => sidecar[Symbol.asyncDispose]())

const get = (path: string, options = {}) => roundTrip(sidecar.port, request(path, options))

test('200 callers of one new resource cost one exchange', async () => {
  sidecar.simulator.faults.add({ kind: 'delay', ms: 100 })
  const path = target('https://storage.azure.com')
  const callers = Array.from({ length: 200 }, () => get(path))
  const replies = await Promise.all(callers)
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]))
  expect(sidecar.simulator.exchanges()).toBe(1)
})

test('passes on what Entra says of a wrong resource', async () => {
  const { status, headers, body } = await get(target('https://nowhere.example'))
  expect(status).toBe(400)
  expect(body).toMatch(/^\{"error":"invalid_resource","error_description":"AADSTS500011: /)
  expect(Object.keys(JSON.parse(body))).toEqual([
    'error',
    'error_description',
    'error_codes',
    'timestamp',
    'trace_id',
    'correlation_id',
    'error_uri',
  ])
  expect(headers.has('retry-after')).toBe(false)
})

test('is temporary while a missing federated credential may still be propagating', async () => {
  const { status, headers, body } = await get(
    `${target('https://vault.azure.net')}&client_id=${BILLING.clientId}`,
  )
  expect(status).toBe(503)
  expect(body).toMatch(/"AADSTS700213: .*until \d\d:\d\d UTC wimds answers with a temporary 503/)
  expect(headers.has('retry-after')).toBe(true)
})

test('says at once what to do about an issuer that is internal to the cluster', async () => {
  const issuer = 'https://kubernetes.default.svc.cluster.local'
  await sidecar.simulator.rotateToken({ claims: { iss: issuer } })
  const { status, headers, body } = await get(target('https://vault.azure.net'))
  expect(status).toBe(400)
  expect(body).toMatch(/"AADSTS700211: .* internal to the cluster\. Fix: on AKS run az aks update /)
  expect(body).not.toContain('temporary')
  expect(headers.has('retry-after')).toBe(false)
})

test('answers probes and documents at once while Entra hangs', async () => {
  sidecar.simulator.faults.add({ kind: 'hang' })
  await using waiting = await openConnection(sidecar.port)
  waiting.write(request(target('https://vault.azure.net')))
  await expect.poll(() => sidecar.simulator.exchanges(), { timeout: 60_000 }).toBe(1)
  const probes = [
    get('/metadata/identity/oauth2/token', { headers: { Metadata: undefined } }),
    get('/metadata/identity/oauth2/token'),
    get('/metadata/identity/getplatformmetadata', { headers: { Metadata: undefined } }),
    get('/metadata/instance?api-version=2021-02-01'),
    get('/readyz', { headers: { Metadata: undefined } }),
  ]
  const replies = await Promise.all(probes)
  expect(replies.map(({ status }) => status)).toEqual([400, 400, 403, 200, 200])
  expect(waiting.isClosed()).toBe(false)
})
