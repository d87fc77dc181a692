/** Secrets other than tokens: none appears in the log, on a page or in a reply. */
import { randomBytes } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { request, roundTrip } from '../fixtures/connection.ts'
import { listening } from '../fixtures/listening.ts'
import { environmentOf, startServe } from '../fixtures/served.ts'
import { findPiece } from './secrets.ts'
import { fetchEverythingShown } from './shown.ts'

const TOKEN =
  '/metadata/identity/oauth2/token?api-version=2021-02-01&resource=https://vault.azure.net'

const aSecret = () => randomBytes(32).toString('base64url')

describe('the password of an HTTP proxy does not appear when the proxy answers CONNECT with', () => {
  test.each<[string, (received: string) => string]>([
    [
      'a 407 that repeats it',
      (received) => `HTTP/1.1 407 ${received}\r\nX: ${received}\r\n\r\n${received}`,
    ],
    ['a malformed header', (received) => `HTTP/1.1 200 OK\r\n${received} \x01\r\n\r\n`],
    ['a tunnel without TLS', (received) => `HTTP/1.1 200 OK\r\n\r\n${received}`],
  ])('%s', async (_, answer) => {
    const password = aSecret()
    const basic = Buffer.from(`user:${password}`).toString('base64')
    await using proxy = await startServer(answer)
    await using simulator = await createSimulator()
    await using sidecar = await startServe({
      ...environmentOf(simulator),
      AZURE_AUTHORITY_HOST: 'https://login.microsoftonline.com',
      HTTPS_PROXY: `http://user:${password}@127.0.0.1:${proxy.port}`,
    })
    const { status, body } = await roundTrip(sidecar.port, request(TOKEN))
    expect(status).toBeGreaterThanOrEqual(500)
    expect(proxy.received().join()).toContain(basic)
    const shown = `${body}\n${await fetchEverythingShown(sidecar)}`
    expect(shown).toContain('exchange_failed')
    expect(findPiece(password, shown)).toBeUndefined()
    expect(findPiece(basic, shown)).toBeUndefined()
  })
})

/** Starts a server that answers each connection by the credentials it received, and closes it. */
async function startServer(answer: (received: string) => string) {
  const received: string[] = []
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {})
    socket.once('data', (bytes) => {
      const credentials = /basic (\S+)/i.exec(bytes.toString())?.[1] ?? ''
      received.push(credentials)
      socket.end(answer(credentials))
    })
  })
  return { ...(await listening(server)), received: () => received }
}
