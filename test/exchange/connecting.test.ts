import { once } from 'node:events'
import { createSecureServer, type Http2ServerRequest } from 'node:http2'
import { request } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { entraDispatcher } from '../../src/exchange/dispatcher.ts'
import { tokenProxyDispatcher } from '../../src/exchange/token-proxy.ts'
import { createCertificateAuthority, type IssuedCertificate } from '../../src/x509.ts'
import { portOf } from '../fixtures/listening.ts'

let caPem = ''
let certificate: IssuedCertificate
beforeAll(async () => {
  const authority = await createCertificateAuthority()
  caPem = authority.caPem
  certificate = await authority.issue({ names: [], addresses: ['127.0.0.1'] })
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
  ['Entra ID', () => entraDispatcher({ extraCa: caPem })],
  [
    'a token proxy',
    () => tokenProxyDispatcher({ settings: { url: origin(), ca: { pem: caPem } } }),
  ],
])('%s is spoken to in HTTP/1.1, though it offers HTTP/2', async (_, dispatcherOf) => {
  const dispatcher = dispatcherOf()
  const { body } = await request(origin(), { dispatcher })
  await body.dump()
  await dispatcher.destroy()
  expect(versions.at(-1)).toBe('1.1')
})
