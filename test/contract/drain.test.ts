import { expect, test } from 'vitest'
import { openConnection, request } from '../fixtures/connection.ts'
import { gatedParts } from '../fixtures/parts.ts'
import { serveParts } from '../fixtures/sidecar.ts'

const RIGHT =
  '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net'

/** Starts a server whose tokens are held back until `release`. */
async function startSlowServer() {
  const given = gatedParts()
  const server = await serveParts(given)
  const untilAnswering = () => expect.poll(() => given.asked.length).toBe(1)
  return { ...server, untilAnswering, release: given.release }
}

test('closes idle connections at once', async () => {
  const server = await startSlowServer()
  await using silent = await openConnection(server.port)
  await using idle = await openConnection(server.port)
  idle.write(request('/metadata/versions'))
  await idle.reply()
  await server.close(60_000)
  expect(await idle.closed()).toBe('')
  expect(await silent.closed()).toBe('')
})

test('answers inflight requests, and closes their connections', async () => {
  const server = await startSlowServer()
  await using waiting = await openConnection(server.port)
  waiting.write(request(RIGHT))
  await server.untilAnswering()
  const closing = server.close(60_000)
  server.release()
  const reply = await waiting.reply()
  expect(reply.status).toBe(200)
  expect(reply.headers.get('connection')).toBe('close')
  await closing
  expect(await waiting.closed()).toBe('')
})

test('accepts no new connections while it drains', async () => {
  const server = await startSlowServer()
  await using waiting = await openConnection(server.port)
  waiting.write(request(RIGHT))
  await server.untilAnswering()
  const closing = server.close(60_000)
  await expect(openConnection(server.port)).rejects.toThrow('ECONNREFUSED')
  server.release()
  await closing
})

test('closes every connection after its time limit', async () => {
  const server = await startSlowServer()
  await using waiting = await openConnection(server.port)
  waiting.write(request(RIGHT))
  await server.untilAnswering()
  await server.close(50)
  expect(await waiting.closed()).toBe('')
})
