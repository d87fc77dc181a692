import { createServer, type ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { connections } from '../../src/server/connections.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { openConnection, request, roundTrip } from '../fixtures/connection.ts'
import { listening } from '../fixtures/listening.ts'
import { aToken, gatedParts, parts } from '../fixtures/parts.ts'
import { environmentOf, startServe } from '../fixtures/served.ts'
import { serveParts } from '../fixtures/sidecar.ts'

const AT_ONCE = 16
const FLOOD = 5000

const tokenOf = (resource: string) =>
  request(`/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${resource}`)
const resourceOf = (index: number) => `api://resource-${index}`
const flood = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => tokenOf(resourceOf(from + index))).join('')

test('one connection that asks thousands of times while Entra ID hangs keeps nobody else waiting', async () => {
  await using world = await createSimulator()
  await using sidecar = await startServe({ ...environmentOf(world), WIMDS_SHUTDOWN_TIMEOUT: '1s' })
  const held = tokenOf('https://vault.azure.net')
  expect((await roundTrip(sidecar.port, held)).status).toBe(200)

  world.log.clear()
  world.faults.add({ kind: 'hang' })
  await using flooder = await openConnection(sidecar.port)
  flooder.write(flood(FLOOD))
  await expect.poll(() => world.exchanges()).toBe(AT_ONCE)
  world.faults.clear()

  const start = performance.now()
  expect((await roundTrip(sidecar.port, held)).status).toBe(200)
  const other = await roundTrip(sidecar.port, tokenOf('https://storage.azure.com'))
  expect(other.status).toBe(200)
  expect(performance.now() - start).toBeLessThan(2000)
  expect(world.exchanges()).toBe(AT_ONCE + 1)
  flooder.destroy()
})

test('each of thousands of requests gets its reply, in their order, and so does one that comes later', async () => {
  const gate = Promise.withResolvers<void>()
  const given = parts({
    tokens: async ({ scope }) => {
      await gate.promise
      // Later ones are ready first.
      if (Number(scope.match(/\d+/)) % 2 === 0) await new Promise(setImmediate)
      return aToken()
    },
  })
  await using server = await serveParts(given)
  await using connection = await openConnection(server.port)
  connection.write(flood(FLOOD))
  await expect.poll(() => given.asked.length).toBe(AT_ONCE)
  gate.resolve()
  for (let index = 0; index < FLOOD; index += 1) {
    const { status, body } = await connection.reply()
    expect(status).toBe(200)
    expect(JSON.parse(body)).toMatchObject({ resource: resourceOf(index) })
  }
  connection.write(tokenOf(resourceOf(FLOOD)))
  expect((await connection.reply()).body).toContain(resourceOf(FLOOD))
})

test('a body that arrives while its request waits in line is read', async () => {
  const given = gatedParts()
  await using server = await serveParts(given)
  await using connection = await openConnection(server.port)
  const post = request(
    '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=api://last',
    {
      headers: { 'Content-Length': '10' },
      body: 'begun',
    },
  )
  connection.write(flood(AT_ONCE + 3) + post)
  await expect.poll(() => given.asked.length).toBe(AT_ONCE)
  connection.write('ended')
  given.release()
  for (let index = 0; index < AT_ONCE + 3; index += 1) await connection.reply()
  expect((await connection.reply()).body).toContain('api://last')
})

test('reads no more from a connection than one piece while its requests wait', async () => {
  const unanswered: ServerResponse[] = []
  const server = createServer()
  let parsed = 0
  server.on('request', () => (parsed += 1))
  connections(10).watch(server, (_request, response) => void unanswered.push(response))
  await using port = await listening(server)
  await using connection = await openConnection(port.port)
  const one = tokenOf(resourceOf(1))
  for (let time = 0; time < 20; time += 1) connection.write(one.repeat(FLOOD))
  await expect.poll(() => unanswered.length).toBe(AT_ONCE)
  const before = parsed
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(parsed).toBe(before)
  // Node reads at most 64 KiB at a time.
  expect(parsed).toBeLessThanOrEqual(65_536 / one.length + 1)
  expect(unanswered).toHaveLength(AT_ONCE)
})

test('answers those in line before it ends, and closes with the last', async () => {
  const given = gatedParts()
  await using server = await serveParts(given)
  await using connection = await openConnection(server.port)
  connection.write(flood(2 * AT_ONCE))
  await expect.poll(() => given.asked.length).toBe(AT_ONCE)
  const closing = server.close(3000)
  given.release()
  for (let index = 1; index < 2 * AT_ONCE; index += 1) {
    expect((await connection.reply()).headers.get('connection')).not.toBe('close')
  }
  expect((await connection.reply()).headers.get('connection')).toBe('close')
  await closing
})

test('starts nothing more on a connection that it has closed', async () => {
  const given = parts({ tokens: () => new Promise(() => {}) })
  await using server = await serveParts(given)
  await using connection = await openConnection(server.port)
  connection.write(flood(2 * AT_ONCE))
  await expect.poll(() => given.asked.length).toBe(AT_ONCE)
  await server.close(0)
  await connection.closed()
  expect(given.asked).toHaveLength(AT_ONCE)
})
