import { once } from 'node:events'
import { createSecureServer } from 'node:http2'
import { expect, test } from 'vitest'
import { createCertificateAuthority } from '../../../../src/lib/x509.ts'
import { createNetworkFetch } from '../../../../src/tools/simulator/http/fetch-text.ts'

test('requests at the same time succeed at a server that ends HTTP/2 connections, as an API server does', async () => {
  const authority = await createCertificateAuthority()
  const { certPem, keyPem } = await authority.issue({ names: [], addresses: ['127.0.0.1'] })
  const tls = { cert: certPem, key: keyPem, allowHTTP1: true }
  const server = createSecureServer(tls, ({ httpVersion }, response) => {
    if ('stream' in response) response.stream.session?.goaway()
    response.end(httpVersion)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it has no port')
  const { fetchText, close } = createNetworkFetch({ caPem: authority.caPem })
  try {
    const url = `https://127.0.0.1:${address.port}/`
    const answers = await Promise.all(Array.from({ length: 20 }, () => fetchText(url)))
    expect(answers).toEqual(answers.map(() => ({ status: 200, text: '1.1' })))
  } finally {
    await close()
    server.close()
  }
})
