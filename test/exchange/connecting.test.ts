import { once } from 'node:events'
import { createSecureServer, type Http2ServerRequest } from 'node:http2'
import { request } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEntraDispatcher } from '../../src/exchange/dispatcher.ts'
import { createTokenProxyDispatcher } from '../../src/exchange/token-proxy.ts'
import { Secret } from '../../src/secret.ts'
import { createCertificateAuthority, type IssuedCertificate } from '../../src/lib/x509.ts'
import { portOf } from '../fixtures/listening.ts'
import { connectProxy } from './connect-proxy.ts'

const HOST = 'login.entra.example'

let caPem = ''
let certificate: IssuedCertificate
beforeAll(async () => {
  const authority = await createCertificateAuthority()
  caPem = authority.caPem
  certificate = await authority.issue({ names: [HOST], addresses: ['127.0.0.1'] })
})

const versions: string[] = []
let server: ReturnType<typeof createSecureServer>
beforeAll(async () => {
  const { certPem: cert, keyPem: key } = certificate
  server = createSecureServer({ cert, key, allowHTTP1: true }, (asked, response) => {
    versions.push(versionOf(asked))
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => server.close())

const versionOf = ({ httpVersion }: Pick<Http2ServerRequest, 'httpVersion'>) => httpVersion

const origin = () => `https://127.0.0.1:${portOf(server)}`

test.each([
  ['Entra ID', () => createEntraDispatcher({ extraCa: caPem })],
  [
    'a token proxy',
    () => createTokenProxyDispatcher({ settings: { url: origin(), ca: { pem: caPem } } }),
  ],
])('%s is spoken to in HTTP/1.1, though it offers HTTP/2', async (_, dispatcherOf) => {
  const dispatcher = dispatcherOf()
  const { body } = await request(origin(), { dispatcher })
  await body.dump()
  await dispatcher.destroy()
  expect(versions.at(-1)).toBe('1.1')
})

test('a tunnel that a proxy does not open is given up, and holds up no other', async () => {
  let isSilent = true
  const routes = { [`${HOST}:443`]: portOf(server) }
  await using proxy = await connectProxy({ routes, isSilent: () => isSilent })
  const dispatcher = createEntraDispatcher({
    extraCa: caPem,
    proxy: { url: new Secret(`http://127.0.0.1:${proxy.port}`), noProxy: '' },
    connectTimeoutMs: 200,
  })
  const ask = () =>
    request(`https://${HOST}/`, { dispatcher, signal: AbortSignal.timeout(3000) }).then(
      ({ statusCode, body }) => body.dump().then(() => statusCode),
      String,
    )
  expect(await ask()).toContain('HeadersTimeoutError')
  isSilent = false
  expect(await ask()).toBe(200)
  expect(proxy.tunnels).toHaveLength(2)
  await dispatcher.destroy()
})

test.each(['127.0.0.2', '169.254.1.1', '[fe80::1]'])(
  'a request to %s goes by no proxy, nor do its credentials',
  async (host) => {
    await using proxy = await connectProxy({ routes: {} })
    const dispatcher = createEntraDispatcher({
      proxy: { url: new Secret(`http://user:word@127.0.0.1:${proxy.port}`), noProxy: '' },
      connectTimeoutMs: 200,
    })
    await request(`https://${host}:9/`, { dispatcher }).catch(() => {})
    await dispatcher.destroy()
    expect(proxy.tunnels).toEqual([])
  },
)
