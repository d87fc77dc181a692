import { once } from 'node:events'
import { createServer } from 'node:http'
import { createSecureServer } from 'node:http2'
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node'
import { Agent, getGlobalDispatcher, setGlobalDispatcher } from 'undici'
import { afterEach, expect, test, vi } from 'vitest'
import { createGet, loadKubeConfig } from '../../src/kubernetes/api-client.ts'
import { createCertificateAuthority } from '../../src/lib/x509.ts'
import { listening } from '../fixtures/listening.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

test('calls at the same time succeed at an API server that ends HTTP/2 connections', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'wimds-api-'))
  const authority = await createCertificateAuthority()
  const { certPem, keyPem } = await authority.issue({ names: [], addresses: ['127.0.0.1'] })
  const tls = { cert: certPem, key: keyPem, allowHTTP1: true }
  const server = createSecureServer(tls, ({ httpVersion }, response) => {
    if ('stream' in response) response.stream.session?.goaway()
    response.setHeader('Content-Type', 'application/json')
    response.end(JSON.stringify({ metadata: { name: httpVersion } }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('it has no port')
    const file = join(directory.path, 'config')
    const ca = Buffer.from(authority.caPem).toString('base64')
    const origin = `https://127.0.0.1:${address.port}`
    await writeFile(
      file,
      JSON.stringify({
        'current-context': 'here',
        contexts: [{ name: 'here', context: { cluster: 'here', user: 'one' } }],
        clusters: [{ name: 'here', cluster: { server: origin, 'certificate-authority-data': ca } }],
        users: [{ name: 'one', user: { token: 'a-token' } }],
      }),
    )
    vi.stubEnv('KUBECONFIG', file)
    const config = loadKubeConfig()
    const get = createGet(config, new AbortController().signal)
    const read = async () => {
      const call = { timeoutMs: 30_000, accept: 'application/json' }
      const { body } = await get('/api/v1/namespaces/n/serviceaccounts/a', call)
      return await body.json()
    }
    const answers = await Promise.all(Array.from({ length: 20 }, read))
    expect(answers).toEqual(answers.map(() => ({ metadata: { name: '1.1' } })))
    const core = config.makeApiClient(CoreV1Api)
    const account = await core.readNamespacedServiceAccount({ namespace: 'n', name: 'a' })
    expect(account.metadata?.name).toBe('1.1')
  } finally {
    server.close()
  }
})

/** Leaves connections to the global dispatcher, whose timeouts a test can set. */
class GlobalDispatcherConfig extends KubeConfig {
  override createDispatcherOptions() {
    return { type: 'none' } as const
  }
}

/** The dispatcher looks at its timeouts every half second. */
const SILENCE_MS = 2500

test('a server may be silent for longer than the dispatcher allows by default', async () => {
  await using server = await listening(
    createServer(({ url }, response) => {
      if (url === '/headers-first') response.flushHeaders()
      void sleep(SILENCE_MS).then(() => response.end('done'))
    }),
  )
  const before = getGlobalDispatcher()
  const dispatcher = new Agent({ headersTimeout: 1, bodyTimeout: 1 })
  setGlobalDispatcher(dispatcher)
  try {
    const config = new GlobalDispatcherConfig()
    const cluster = {
      name: 'here',
      server: `http://127.0.0.1:${server.port}`,
      skipTLSVerify: true,
    }
    config.loadFromClusterAndUser(cluster, { name: 'one', token: 'a-token' })
    const get = createGet(config, new AbortController().signal)
    const read = async (path: string) => {
      const { body } = await get(path, { timeoutMs: 60_000, accept: 'application/json' })
      return await body.text()
    }
    expect(await Promise.all([read('/'), read('/headers-first')])).toEqual(['done', 'done'])
  } finally {
    setGlobalDispatcher(before)
    await dispatcher.close()
  }
})

test('an error in the kubeconfig file does not quote the file, which has credentials', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'wimds-api-'))
  const file = join(directory.path, 'config')
  await writeFile(file, 'users:\n  - user: {token: a-very-secret-token\n')
  vi.stubEnv('KUBECONFIG', file)
  expect(() => loadKubeConfig()).toThrow(
    /^cannot read the kubeconfig file: [^\n]+\. Fix: correct the file that KUBECONFIG names, or else ~\/\.kube\/config$/,
  )
  expect(() => loadKubeConfig()).not.toThrow('secret')
})
