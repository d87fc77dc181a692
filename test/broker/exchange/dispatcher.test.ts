/** Connections over real TLS: certificates, HTTP proxies and NO_PROXY. */
import { once } from 'node:events'
import { createSecureServer } from 'node:http2'
import { connect, createServer } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { formatUrlHost } from '../../../src/lib/hosts.ts'
import { createTestExchange } from './test-exchange.ts'
import { createCertificateAuthority } from '../../../src/lib/x509.ts'
import { createSimulator, type Simulator } from '../../../src/tools/simulator/simulator.ts'
import { systemClock } from '../../../src/broker/tokens/lifetime.ts'
import { identityOf } from '../../fixtures/identity.ts'
import { listening, portOf } from '../../fixtures/listening.ts'
import { type ConnectProxy, connectProxy } from './connect-proxy.ts'
import { formatChain, send, toEntra, type Ways } from './ways.ts'

const LOGIN = 'login.microsoftonline.com'

describe('an exchange through a proxy', () => {
  test('connects to the login host of a region, and sends one request', async () => {
    const host = 'westeurope.login.microsoft.com'
    await using simulator = await createSimulator({ names: [host] })
    await using proxy = await startProxy(simulator, host)
    const token = await exchange(simulator, { proxy: proxy.port }, 'westeurope')
    expect(token.secret.reveal()).toMatch(/^eyJ/)
    expect(proxy.tunnels).toEqual([`${host}:443`])
    expect(simulator.log.counters().byTarget.token).toBe(1)
  })

  test('sends the password to the proxy, and puts it in no error', async () => {
    await using simulator = await createSimulator({ names: [LOGIN] })
    await using proxy = await startProxy(simulator, LOGIN, 'me:s%3Cret')
    await exchange(simulator, { proxy: `http://me:s%253Cret@127.0.0.1:${proxy.port}` })
    expect(proxy.tunnels).toEqual([`${LOGIN}:443`])

    for (const [port, problem] of [
      [proxy.port, `answered 407 instead of connecting to ${LOGIN}:443`],
      [1, 'cannot be reached: 1 IPv4 address failed (ECONNREFUSED)'],
    ] as const) {
      const way = { proxy: `http://me:guessed@127.0.0.1:${port}` }
      const error = await exchange(simulator, way).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({
        code: 'entra_unreachable',
        problem: `the proxy 127.0.0.1:${port} ${problem}`,
        fix: expect.stringContaining('HTTPS_PROXY'),
      })
      expect(formatChain(error)).not.toMatch(/me:|guessed/)
    }
  })

  test('names the proxy whose certificate is not trusted', async () => {
    await using simulator = await createSimulator({ names: [LOGIN] })
    const proxy = `127.0.0.1:${new URL(simulator.authorityHost).port}`
    const failed = exchange(simulator, { proxy: `https://${proxy}`, ca: undefined })
    await expect(failed).rejects.toMatchObject({
      code: 'entra_tls',
      problem: expect.stringContaining(`the TLS connection to the proxy ${proxy} failed`),
      fix: expect.stringContaining('WIMDS_CA_FILE'),
    })
  })

  test('rejects a certificate for another name', async () => {
    await using simulator = await createSimulator({ names: ['login.microsoftonline.us'] })
    await using proxy = await startProxy(simulator, LOGIN)
    const failed = exchange(simulator, { proxy: proxy.port })
    await expect(failed).rejects.toMatchObject({
      code: 'entra_tls',
      problem: expect.stringContaining(`the TLS connection to Entra ID at ${LOGIN}:443 failed`),
    })
    expect(simulator.log.counters().byTarget.token).toBe(0)
  })
})

/** Exchanges with the simulator, whose CA is trusted by default. */
function exchange(simulator: Simulator, way: Ways, region?: string) {
  const dispatcher = toEntra({ ca: simulator.caPem, ...way })
  const identity = { ...identityOf(simulator), authorityHost: `https://${LOGIN}` }
  const source = createTestExchange({ dispatcher, clock: systemClock, region })
  return source({ identity, scope: 'https://vault.azure.net/.default' })
}

/** Starts a proxy through which `host` on port 443 is the simulator's Entra ID. */
function startProxy(
  simulator: Simulator,
  host: string,
  credentials?: string,
): Promise<ConnectProxy> {
  const routes = { [`${host}:443`]: Number(new URL(simulator.authorityHost).port) }
  return connectProxy({ routes, ...(credentials !== undefined && { credentials }) })
}

describe('a connection', () => {
  const HOST = 'login.entra.example'
  const versions: string[] = []
  let ca = ''
  let otherCa = ''
  let server: ReturnType<typeof createSecureServer>
  beforeAll(async () => {
    const authority = await createCertificateAuthority()
    ca = authority.caPem
    otherCa = (await createCertificateAuthority()).caPem
    const { certPem, keyPem } = await authority.issue({ names: [HOST, '127.0.0.1'] })
    const options = { cert: certPem, key: keyPem, allowHTTP1: true }
    server = createSecureServer(options, ({ httpVersion }, response) => {
      versions.push(httpVersion)
      response.end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(() => server.close())

  const origin = () => `https://127.0.0.1:${portOf(server)}`

  test('uses HTTP/1.1 although the server offers HTTP/2', async () => {
    expect(await send(origin(), toEntra({ ca }))).toBe(200)
    expect(versions).toEqual(['1.1'])
  })

  test.each(['directly', 'through a proxy'])(
    'that hangs %s holds up no other one, and is given up with its request',
    async (way) => {
      let connections = 0
      // The first connection hangs.
      const front = createServer((socket) => {
        connections += 1
        if (connections === 1) return
        const upstream = connect(portOf(server), '127.0.0.1')
        socket.pipe(upstream).pipe(socket)
      })
      await using listener = await listening(front)
      await using proxy = await connectProxy({ routes: { [`${HOST}:443`]: listener.port } })
      const isDirect = way === 'directly'
      const dispatcher = toEntra({ ca, ...(!isDirect && { proxy: proxy.port }) })
      const url = isDirect ? `https://127.0.0.1:${listener.port}` : `https://${HOST}`
      const attempt = new AbortController()
      const hanging = send(url, dispatcher, attempt.signal)
      await expect.poll(() => connections).toBe(1)
      expect(await Promise.race([send(url, dispatcher), hanging])).toBe(200)
      attempt.abort()
      expect(await hanging).toMatchObject({ name: 'AbortError' })
      expect(await send(url, dispatcher)).toBe(200)
    },
  )

  test('trusts extra CAs in addition to the default ones, for its own connections only', async () => {
    const defaults = getCACertificates('default')
    expect(await send(origin(), toEntra({ ca: `${otherCa}${ca}` }))).toBe(200)
    expect(formatChain(await send(origin(), toEntra({})))).toMatch(/certificate/)
    expect(formatChain(await send(origin(), toEntra({ ca: otherCa })))).toMatch(/certificate/)
    try {
      setDefaultCACertificates([...defaults, ca])
      expect(await send(origin(), toEntra({ ca: otherCa }))).toBe(200)
    } finally {
      setDefaultCACertificates(defaults)
    }
  })

  test('names a proxy that does not speak HTTP', async () => {
    await using other = await listening(
      createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')),
    )
    expect(await send(`https://${HOST}/`, toEntra({ proxy: other.port }))).toMatchObject({
      code: 'entra_bad_response',
      problem: `the proxy 127.0.0.1:${other.port} answered in another protocol than HTTP`,
      fix: 'check HTTPS_PROXY, which must be the URL of a proxy',
    })
  })

  test('may take half of the time limit of an exchange, whatever its steps', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const asked = Promise.withResolvers<void>()
    const isSilent = () => {
      asked.resolve()
      return true
    }
    await using proxy = await connectProxy({ routes: {}, isSilent })
    let error: unknown
    const sent = send(`https://${HOST}/`, toEntra({ proxy: proxy.port, timeoutMs: 60_000 })).then(
      (thrown) => (error = thrown),
    )
    await asked.promise
    await vi.advanceTimersByTimeAsync(29_999)
    expect(error).toBeUndefined()
    await vi.advanceTimersByTimeAsync(1)
    expect(await sent).toMatchObject({
      code: 'entra_timeout',
      problem: `the proxy 127.0.0.1:${proxy.port} did not answer in time`,
    })
  })

  test.each([
    ['login.entra.example', '', true],
    ['login.entra.example', '*', false],
    ['login.entra.example', 'ntra.example,login.entra.example:8443', true],
    ['login.entra.example', '*.Entra.example:443', false],
    ['entra.example', '*.entra.example', true],
    ['login.entra.example.', '.entra.example.', false],
    ['[fd00::1]', 'fd00::2,[fd00::1]:443', false],
    ['[fd00::1]', '[fd00::1]:8443,fd00::1:443', true],
    ['[::1]', '', false],
  ])('to %s with NO_PROXY=%j uses the proxy: %s', async (host, noProxy, expected) => {
    const connections: string[] = []
    const dispatcher = toEntra({
      proxy: 'http://user:word@proxy.example',
      noProxy,
      connect: ({ host: name }) => {
        connections.push(formatUrlHost(name))
        return Promise.reject(new Error('not connected'))
      },
    })
    await send(`https://${host}/`, dispatcher)
    expect(connections).toEqual([expected ? 'proxy.example' : host])
  })

  test('verifies the certificate despite NODE_TLS_REJECT_UNAUTHORIZED=0', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    await using proxy = await connectProxy({ routes: { [`${HOST}:443`]: portOf(server) } })
    for (const [url, way] of [
      [origin(), {}],
      [origin(), { ca: otherCa }],
      [`https://${HOST}/`, { proxy: proxy.port }],
    ] as const) {
      expect(formatChain(await send(url, toEntra(way)))).toMatch(/certificate/)
    }
  })
})
