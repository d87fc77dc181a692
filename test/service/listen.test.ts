import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Server } from 'node:net'
import { constants } from 'node:os'
import { afterEach, expect, test, vi } from 'vitest'
import { bind, listen } from '../../src/service/listen.ts'
import { openConnection, request } from '../fixtures/connection.ts'

let servers: Server[] = []
const server = () => {
  const made = createServer()
  servers.push(made)
  return made
}
afterEach(() => {
  for (const open of servers) open.close()
  servers = []
  vi.restoreAllMocks()
})

test('binds 0.0.0.0 for [::] on a machine without IPv6, and no other IPv6 address', async () => {
  // As on a node booted with `ipv6.disable=1`.
  const any = server().listen(0, '127.0.0.1')
  await once(any, 'listening')
  const handle: object = Reflect.get(any, '_handle')
  const sockets: { bind6: () => number } = Object.getPrototypeOf(handle)
  vi.spyOn(sockets, 'bind6').mockReturnValue(-constants.errno.EAFNOSUPPORT)
  expect(await bind(server(), { host: '::', port: 0 })).toMatchObject({ host: '0.0.0.0' })
  const failure = bind(server(), { host: '::1', port: 0 })
  await expect(failure).rejects.toMatchObject({ code: 'EAFNOSUPPORT' })
})

test('a closing server answers the connections that wait, however slow the machine is', async () => {
  const listener = await listen(
    (_, response) => {
      const end = performance.now() + 50
      while (performance.now() < end);
      response.end('late')
    },
    [{ host: '127.0.0.1', port: 0 }],
    { maxConnections: 100 },
  )
  const port = listener.addresses[0]?.port ?? 0
  const opening = Array.from({ length: 10 }, () => openConnection(port))
  for (const each of opening) void each.then(({ write }) => write(request('/'))).catch(() => {})
  await opening[0]
  const closed = listener.close(30_000)
  const replies = await Promise.all(opening.map(async (each) => (await each).reply()))
  expect(replies.map(({ body }) => body)).toEqual(replies.map(() => 'late'))
  await closed
})
