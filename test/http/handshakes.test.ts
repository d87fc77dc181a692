/** The bound on unfinished TLS handshakes, over real connections. */
import { once } from 'node:events'
import { createServer } from 'node:https'
import { connect as connectTls } from 'node:tls'
import { expect, test } from 'vitest'
import { boundHandshakes } from '../../src/http/handshakes.ts'
import { createCertificateAuthority } from '../../src/x509.ts'
import { openConnection } from '../fixtures/connection.ts'
import { listening } from '../fixtures/listening.ts'

async function bounded(max: number) {
  const authority = await createCertificateAuthority()
  const { certPem: cert, keyPem: key } = await authority.issue({ names: ['localhost'] })
  const server = createServer({ cert, key }, (_request, response) => response.end())
  server.on('tlsClientError', () => {})
  boundHandshakes(server, max)
  return { server, ca: authority.caPem }
}

test('the oldest unfinished handshake makes room for a new one', async () => {
  const { server, ca } = await bounded(3)
  await using stack = new AsyncDisposableStack()
  const { port } = stack.use(await listening(server))
  const open = async () => stack.use(await openConnection(port))
  const unfinished = [await open(), await open(), await open()]
  const socket = connectTls({ port, ca, servername: 'localhost' })
  await once(socket, 'secureConnect')
  expect(await unfinished[0]?.closed()).toBe('')
  expect(unfinished.map((each) => each.isClosed())).toEqual([true, false, false])
  // Done, it is in nobody's way, and nobody is in its.
  for (let count = 0; count < 10; count += 1) await open()
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const [reply] = await once(socket, 'data')
  expect(String(reply)).toMatch(/^HTTP\/1.1 200/)
  socket.destroy()
})

test('handshakes that end in between leave their room', async () => {
  const { server } = await bounded(2)
  await using stack = new AsyncDisposableStack()
  const { port } = stack.use(await listening(server))
  const first = stack.use(await openConnection(port))
  for (let count = 0; count < 5; count += 1) {
    await using gone = await openConnection(port)
    const closed = once(server, 'tlsClientError')
    gone.end()
    await closed
  }
  expect(first.isClosed()).toBe(false)
})
