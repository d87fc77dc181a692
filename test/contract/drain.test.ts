import { expect, test } from 'vitest'
import { openConnection, request } from '../fixtures/connection.ts'
import { gatedParts } from '../fixtures/parts.ts'
import { serveParts } from '../fixtures/sidecar.ts'

const RIGHT =
  '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net'

/** A server whose tokens come when `release` is called. */
async function slowServer() {
  const given = gatedParts()
  const server = await serveParts(given)
  const isAsked = () => expect.poll(() => given.asked.length).toBe(1)
  return { ...server, isAsked, release: given.release }
}

test('ends at once when nobody waits for a reply', async () => {
  const server = await slowServer()
  await using silent = await openConnection(server.port)
  await using idle = await openConnection(server.port)
  idle.write(request('/metadata/versions'))
  await idle.reply()
  const start = performance.now()
  await server.close(3000)
  expect(performance.now() - start).toBeLessThan(1000)
  expect(await idle.closed()).toBe('')
  expect(await silent.closed()).toBe('')
})

test('answers what it is being asked, closes that connection, and ends', async () => {
  const server = await slowServer()
  await using waiting = await openConnection(server.port)
  waiting.write(request(RIGHT))
  await server.isAsked()
  const start = performance.now()
  const closing = server.close(3000)
  server.release()
  const reply = await waiting.reply()
  expect(reply.status).toBe(200)
  expect(reply.headers.get('connection')).toBe('close')
  await closing
  expect(performance.now() - start).toBeLessThan(1000)
  expect(await waiting.closed()).toBe('')
})

test('takes no new callers while it ends', async () => {
  const server = await slowServer()
  await using waiting = await openConnection(server.port)
  waiting.write(request(RIGHT))
  await server.isAsked()
  const closing = server.close(3000)
  await expect(openConnection(server.port)).rejects.toThrow('ECONNREFUSED')
  server.release()
  await closing
})

test('cuts off what takes longer than it may', async () => {
  const server = await slowServer()
  await using waiting = await openConnection(server.port)
  waiting.write(request(RIGHT))
  await server.isAsked()
  await server.close(50)
  expect(await waiting.closed()).toBe('')
})
