/** The cap on connections and the drain, where a connection is more than its TLS. */
import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { beforeAll, expect, test } from 'vitest'
import type { ListenerOptions } from '../../src/server/listen.ts'
import { createCertificateAuthority } from '../../src/lib/x509.ts'
import { type Connection, openConnection, request } from '../fixtures/connection.ts'
import { gatedParts } from '../fixtures/parts.ts'
import { serveParts } from '../fixtures/sidecar.ts'

const RIGHT =
  '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net'

let tls: NonNullable<ListenerOptions['tls']>
let ca: string
beforeAll(async () => {
  const authority = await createCertificateAuthority()
  tls = await authority.issue({ names: ['localhost'], addresses: ['127.0.0.1'] })
  ca = authority.caPem
})

/** A server over TLS whose tokens come when `release` is called, and connections that end with the test. */
async function capped(maxConnections: number) {
  const stack = new AsyncDisposableStack()
  const given = gatedParts()
  const { port, close } = stack.use(await serveParts(given, { maxConnections, tls }))
  return {
    /** A caller that has not begun with TLS. */
    open: async (): Promise<Connection> => stack.use(await openConnection(port)),
    /** A caller after its handshake. */
    greet: async (): Promise<TLSSocket> => {
      const caller = connect({ port, host: '127.0.0.1', servername: 'localhost', ca })
      stack.defer(() => void caller.destroy())
      caller.setEncoding('latin1').on('error', () => {})
      await once(caller, 'secureConnect')
      return caller
    },
    answering: (count: number) => expect.poll(() => given.asked.length).toBe(count),
    release: given.release,
    close,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** The status line of the reply to a request on the connection. */
async function statusLine(caller: TLSSocket, target = '/metadata/versions'): Promise<string> {
  caller.write(request(target))
  const [text]: string[] = await once(caller, 'data')
  return text?.split('\r\n')[0] ?? ''
}

test('counts callers that have not begun with TLS, and lets new ones in', async () => {
  await using server = await capped(3)
  const silent: Connection[] = []
  for (let time = 0; time < 10; time += 1) silent.push(await server.open())
  await expect.poll(() => silent.filter((caller) => caller.isClosed()).length).toBe(7)
  expect(await statusLine(await server.greet())).toBe('HTTP/1.1 200 OK')
  await expect.poll(() => silent.filter((caller) => caller.isClosed()).length).toBe(8)
})

test('never closes a caller that is being answered for those that say nothing', async () => {
  await using server = await capped(2)
  const answered = await server.greet()
  const reply = statusLine(answered, RIGHT)
  await server.answering(1)
  const crowd = await Promise.all(Array.from({ length: 10 }, () => server.open()))
  await expect.poll(() => crowd.filter((caller) => caller.isClosed()).length).toBe(9)
  server.release()
  expect(await reply).toBe('HTTP/1.1 200 OK')
})

test('keeps as many callers as allowed, however often some come and go', async () => {
  await using server = await capped(3)
  for (let time = 0; time < 10; time += 1) {
    const caller = await server.greet()
    expect(await statusLine(caller)).toBe('HTTP/1.1 200 OK')
    caller.destroy()
    const silent = await server.open()
    silent.destroy()
  }
  const three = [await server.greet(), await server.greet(), await server.greet()]
  for (const caller of three) expect(await statusLine(caller)).toBe('HTTP/1.1 200 OK')
})

test('ends without those that have not begun with TLS', async () => {
  await using server = await capped(3)
  const silent = await server.open()
  const greeted = await server.greet()
  const start = performance.now()
  await server.close(3000)
  expect(performance.now() - start).toBeLessThan(1000)
  await silent.closed()
  expect(greeted.readableEnded || greeted.destroyed).toBe(true)
})
