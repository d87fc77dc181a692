/** The secrets that wimds works with beside tokens: nobody is shown one. */
import { randomBytes } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { request, roundTrip } from '../fixtures/connection.ts'
import { portOf } from '../fixtures/listening.ts'
import { environmentOf, startServe } from '../fixtures/served.ts'
import { pieceOf } from './secrets.ts'
import { shownBy } from './shown.ts'

const TOKEN =
  '/metadata/identity/oauth2/token?api-version=2021-02-01&resource=https://vault.azure.net'

const aSecret = () => randomBytes(32).toString('base64url')

test('the App Service secret does not appear in logs or pages, whether right or wrong', async () => {
  await using world = await createSimulator()
  const [secret, wrong] = [aSecret(), aSecret()]
  await using sidecar = await startServe({
    ...environmentOf(world),
    WIMDS_IDENTITY_HEADER: secret,
  })
  const path = '/msi/token?api-version=2019-08-01&resource=https://vault.azure.net'
  const statusWith = async (sent: string) => {
    const bytes = request(path, { headers: { 'X-Identity-Header': sent } })
    return (await roundTrip(sidecar.port, bytes)).status
  }
  expect(await statusWith(secret)).toBe(200)
  expect(await statusWith(wrong)).toBe(401)
  const shown = await shownBy(sidecar)
  expect(shown).toContain('invalid_secret_header')
  expect(pieceOf(secret, shown)).toBeUndefined()
  expect(pieceOf(wrong, shown)).toBeUndefined()
})

describe('the password of an HTTP proxy is the proxy’s, which answers a CONNECT with', () => {
  test.each<[string, (heard: string) => string]>([
    [
      'a refusal that repeats it',
      (heard) => `HTTP/1.1 407 ${heard}\r\nX: ${heard}\r\n\r\n${heard}`,
    ],
    ['what is no HTTP', (heard) => `${heard}\r\n\r\n${heard}`],
    ['a header that is none', (heard) => `HTTP/1.1 200 OK\r\n${heard} \x01\r\n\r\n`],
    ['a tunnel that speaks no TLS', (heard) => `HTTP/1.1 200 OK\r\n\r\n${heard}`],
    ['nothing', () => ''],
  ])('%s', async (_, answer) => {
    const password = aSecret()
    const basic = Buffer.from(`user:${password}`).toString('base64')
    await using proxy = await answering(answer)
    await using world = await createSimulator()
    await using sidecar = await startServe({
      ...environmentOf(world),
      AZURE_AUTHORITY_HOST: 'https://login.microsoftonline.com',
      HTTPS_PROXY: `http://user:${password}@127.0.0.1:${proxy.port}`,
    })
    const { status, body } = await roundTrip(sidecar.port, request(TOKEN))
    expect(status).toBeGreaterThanOrEqual(500)
    expect(proxy.heard().join()).toContain(basic)
    const shown = `${body}\n${await shownBy(sidecar)}`
    expect(shown).toContain('exchange_failed')
    expect(pieceOf(password, shown)).toBeUndefined()
    expect(pieceOf(basic, shown)).toBeUndefined()
  })
})

/** A server that answers each connection by the credentials that it was sent, and closes it. */
async function answering(answer: (heard: string) => string) {
  const heard: string[] = []
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {})
    socket.once('data', (bytes) => {
      const credentials = /basic (\S+)/i.exec(bytes.toString())?.[1] ?? ''
      heard.push(credentials)
      socket.end(answer(credentials))
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return {
    port: portOf(server),
    heard: () => heard,
    [Symbol.asyncDispose]: async () => void server.close(),
  }
}
