import { writeFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { serve } from '../../src/sidecar/serve.ts'
import { BILLING } from '../../src/tools/simulator/defaults.ts'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { createFolder } from '../fixtures/folder.ts'
import { openConnection, request, roundTrip } from '../fixtures/connection.ts'
import { listening } from '../fixtures/listening.ts'
import { namedPipe } from '../fixtures/pipe.ts'
import { environmentOf, startServe } from '../fixtures/served.ts'
import { freePort } from '../support/free-port.ts'
import { captureIo } from '../tools/capture.ts'

const TOKEN = '/metadata/identity/oauth2/token?api-version=2018-02-01&resource='

const simulator = await createSimulator()
afterAll(() => simulator.close())

const get = (port: number, path: string) => roundTrip(port, request(path))

test('serves tokens, probes and metrics until SIGTERM, and exits with 0', async () => {
  await using sidecar = await startServe(environmentOf(simulator))
  const reply = await get(sidecar.port, `${TOKEN}https://vault.azure.net`)
  expect(reply.status).toBe(200)
  expect((await get(sidecar.port, '/readyz')).status).toBe(200)
  expect((await get(sidecar.adminPort, '/healthz')).status).toBe(200)
  expect((await get(sidecar.adminPort, '/readyz')).status).toBe(200)
  expect((await get(sidecar.adminPort, '/metrics')).body).toMatch(/^wimds_ready 1$/m)

  expect(await sidecar.stop()).toBe(0)
  expect(sidecar.events().at(-1)).toMatchObject({ event: 'shutdown_complete' })
  await expect(get(sidecar.port, '/readyz')).rejects.toThrow('ECONNREFUSED')
  await expect(get(sidecar.adminPort, '/readyz')).rejects.toThrow('ECONNREFUSED')
})

test('shuts down while the file system of the projected token hangs', async () => {
  using temporary = createFolder()
  // Every thread of the pool waits for a writer, as on a network file system that hangs.
  const names = ['1', '2', '3', '4']
  const pipes = await Promise.all(names.map((name) => namedPipe(temporary.file(name))))
  const { AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_FEDERATED_TOKEN_FILE } = environmentOf(simulator)
  const readers = pipes.map((pipe) => readFile(pipe, 'utf8'))
  try {
    const sidecar = await startServe({
      AZURE_TENANT_ID: AZURE_TENANT_ID ?? '',
      AZURE_CLIENT_ID: AZURE_CLIENT_ID ?? '',
      AZURE_FEDERATED_TOKEN_FILE: AZURE_FEDERATED_TOKEN_FILE ?? '',
      WIMDS_LISTEN: '127.0.0.1:0',
      WIMDS_ADMIN_LISTEN: '127.0.0.1:0',
    })
    expect((await get(sidecar.port, '/readyz')).status).toBe(503)
    expect(await sidecar.stop()).toBe(0)
  } finally {
    for (const pipe of pipes) writeFileSync(pipe, '')
    await Promise.all(readers)
  }
})

test('listens without a projected token, becomes ready with one, and stays ready while Entra is down', async () => {
  const token = await readFile(simulator.tokenFile, 'utf8')
  const file = join(dirname(simulator.caFile), 'late-token')
  const env = { ...environmentOf(simulator), AZURE_FEDERATED_TOKEN_FILE: file }
  await using sidecar = await startServe(env)
  expect((await get(sidecar.port, '/readyz')).status).toBe(503)
  const refused = await get(sidecar.port, `${TOKEN}https://vault.azure.net`)
  expect(refused.status).toBe(503)
  expect(refused.headers.has('retry-after')).toBe(true)

  await writeFile(file, token)
  const ready = async () => (await get(sidecar.port, '/readyz')).status
  await expect.poll(ready).toBe(200)
  const served = async () => (await get(sidecar.port, `${TOKEN}https://vault.azure.net`)).status
  await expect.poll(served).toBe(200)

  simulator.faults.add({ kind: 'unavailable' })
  try {
    expect((await get(sidecar.port, `${TOKEN}https://storage.azure.com`)).status).toBe(503)
    expect([await ready(), await served()]).toEqual([200, 200])
  } finally {
    simulator.faults.clear()
  }
})

test('frees the place of a waiting caller that hangs up', async () => {
  const settings = { WIMDS_MAX_CONNECTIONS: '4', WIMDS_EXCHANGE_TIMEOUT: '60s' }
  await using sidecar = await startServe({ ...environmentOf(simulator), ...settings })
  simulator.log.clear()
  // Their exchanges go on, so that only a place that was freed lets another caller wait.
  simulator.faults.add({ kind: 'hang', clientId: BILLING.clientId })
  try {
    for (const [index, hangUp] of (['end', 'destroy', 'reset'] as const).entries()) {
      await using caller = await openConnection(sidecar.port)
      const resource = `https://${hangUp}.example&client_id=${BILLING.clientId}`
      caller.write(request(`${TOKEN}${resource}`))
      await expect.poll(() => simulator.exchanges()).toBe(index + 1)
      caller[hangUp]()
    }
    const served = async () => (await get(sidecar.port, `${TOKEN}https://vault.azure.net`)).status
    // Sooner than the callers would get an error.
    await expect.poll(served, { timeout: 30_000 }).toBe(200)
  } finally {
    simulator.faults.clear()
  }
})

test('keeps a quarter of the connections for callers whose token is cached', async () => {
  const settings = { WIMDS_MAX_CONNECTIONS: '8', WIMDS_EXCHANGE_TIMEOUT: '60s' }
  await using sidecar = await startServe({ ...environmentOf(simulator), ...settings })
  const ask = (resource: string) => get(sidecar.port, `${TOKEN}${resource}`)
  expect((await ask('https://vault.azure.net')).status).toBe(200)
  // The second attempt, after 3 s, gets a token.
  simulator.faults.add({ kind: 'hang', times: 1 })
  try {
    const crowd = Array.from({ length: 8 }, () => ask('https://storage.azure.com'))
    await expect.poll(() => sidecar.log().match(/overloaded/g)?.length).toBe(2)
    expect((await ask('https://vault.azure.net')).status).toBe(200)
    const replies = await Promise.all(crowd)
    const rejected = replies.filter(({ status }) => status === 503)
    expect(rejected.map(({ headers }) => headers.get('retry-after'))).toEqual(['1', '1'])
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(6)
  } finally {
    simulator.faults.clear()
  }
})

test('a request with a Content-Type and without a body is answered on both ports', async () => {
  await using sidecar = await startServe(environmentOf(simulator))
  const { port, adminPort } = sidecar
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    const bytes = (path: string) =>
      request(path, { method, headers: { Host: 'localhost', 'Content-Type': 'text/plain' } })
    expect((await roundTrip(adminPort, bytes('/no/such/path'))).status).toBe(404)
    expect((await roundTrip(port, bytes('/oauth2/token'))).status).toBeGreaterThanOrEqual(400)
  }
})

test.each(['WIMDS_LISTEN', 'WIMDS_ADMIN_LISTEN'])(
  'exits with 1 when the port of %s is taken, and says so when the log is silent, too',
  async (name) => {
    await using taken = await listening(createServer())
    const port = await freePort()
    const listen = { WIMDS_LISTEN: `127.0.0.1:${port}`, [name]: `127.0.0.1:${taken.port}` }
    const io = captureIo({ ...environmentOf(simulator), ...listen, WIMDS_LOG_LEVEL: 'silent' })
    expect(await serve([], io)).toBe(1)
    expect(io.out()).toBe('')
    expect(io.err()).toMatch(
      /^wimds serve: cannot listen: .*EADDRINUSE.*\. Fix: choose another port/,
    )
    // An open port would keep the process.
    await expect(get(port, '/readyz')).rejects.toThrow('ECONNREFUSED')
  },
)
