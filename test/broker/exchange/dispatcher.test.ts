/** Connections over real TLS: certificates, HTTP proxies and NO_PROXY. */
import { once } from 'node:events'
import { createSecureServer } from 'node:http2'
import { connect, createServer } from 'node:net'
import {
  createServer as createTlsServer,
  getCACertificates,
  setDefaultCACertificates,
} from 'node:tls'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  createEntraDispatcher,
  createExchangeDispatchers,
  createTokenProxyDispatcher,
} from '../../../src/broker/exchange/dispatcher.ts'
import { formatUrlHost } from '../../../src/lib/hosts.ts'
import { ENTRA, toTransportError } from '../../../src/broker/exchange/transport-errors.ts'
import { createTestExchange } from './test-exchange.ts'
import { createCertificateAuthority, type IssuedCertificate } from '../../../src/lib/x509.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { createSimulator, type Simulator } from '../../../src/tools/simulator/simulator.ts'
import { systemClock } from '../../../src/broker/tokens/lifetime.ts'
import { identityOf } from '../../fixtures/identity.ts'
import { listening, portOf } from '../../fixtures/listening.ts'
import { type ConnectProxy, connectProxy } from './connect-proxy.ts'

const LOGIN = 'login.microsoftonline.com'

describe('an exchange through a proxy', () => {
  test.each([
    ['the public cloud', 'https://login.microsoftonline.com', LOGIN],
    ['an alias of the public cloud', 'https://login.windows.net', LOGIN],
    ['China', 'https://login.chinacloudapi.cn', 'login.partner.microsoftonline.cn'],
    ['a sovereign cloud', 'https://login.sovcloud-identity.de', 'login.sovcloud-identity.de'],
    ['a private authority', 'https://login.airgap.example', 'login.airgap.example'],
  ])('connects to the login host of %s and sends one request', async (_, authorityHost, host) => {
    await using simulator = await createSimulator({ names: [host] })
    await using proxy = await startProxy(simulator, host)
    const token = await exchange(simulator, proxy, { authorityHost })
    expect(token.secret.reveal()).toMatch(/^eyJ/)
    expect(proxy.tunnels).toEqual([`${host}:443`])
    expect(simulator.log.counters().byTarget.token).toBe(1)
  })

  test('connects to the regional endpoint', async () => {
    const host = 'westeurope.login.microsoft.com'
    await using simulator = await createSimulator({ names: [host] })
    await using proxy = await startProxy(simulator, host)
    await exchange(simulator, proxy, { region: 'westeurope' })
    expect(proxy.tunnels).toEqual([`${host}:443`])
  })

  test('sends the password to the proxy, and puts it in no error', async () => {
    await using simulator = await createSimulator({ names: [LOGIN] })
    await using proxy = await startProxy(simulator, LOGIN, 'me:s%3Cret')
    await exchange(simulator, proxy, { userInfo: 'me:s%253Cret@' })
    expect(proxy.tunnels).toEqual([`${LOGIN}:443`])

    const rejected = await exchange(simulator, proxy, { userInfo: 'me:guessed@' }).catch(
      (error: unknown) => error,
    )
    expect(rejected).toMatchObject({
      code: 'entra_unreachable',
      message: expect.stringMatching(
        /^the proxy 127\.0\.0\.1:\d+ answered 407 instead of connecting to login\.microsoftonline\.com:443\. Fix: check HTTPS_PROXY/,
      ),
    })
    expect(formatChain(rejected)).not.toContain('guessed')
  })

  test('names the proxy that cannot be reached, without its password', async () => {
    await using simulator = await createSimulator({ names: [LOGIN] })
    const failure = await exchange(simulator, { port: 1 }, { userInfo: 'me:s%3Cret@' }).catch(
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({
      code: 'entra_unreachable',
      message: expect.stringMatching(
        /^the proxy 127\.0\.0\.1:1 cannot be reached: 1 IPv4 address failed \(ECONNREFUSED\)\. Fix: check HTTPS_PROXY/,
      ),
    })
    expect(formatChain(failure)).not.toMatch(/me:|cret/)
  })

  test('names the proxy whose certificate is not trusted', async () => {
    await using simulator = await createSimulator({ names: [LOGIN] })
    const port = Number(new URL(simulator.authorityHost).port)
    const settings = { extraCa: false, scheme: 'https' } as const
    await expect(exchange(simulator, { port }, settings)).rejects.toMatchObject({
      code: 'entra_tls',
      message: expect.stringMatching(
        /^the TLS connection to the proxy 127\.0\.0\.1:\d+ failed .*Fix: .*WIMDS_CA_FILE/,
      ),
    })
  })

  test('rejects a certificate of an unknown CA', async () => {
    await using simulator = await createSimulator({ names: [LOGIN] })
    await using proxy = await startProxy(simulator, LOGIN)
    await expect(exchange(simulator, proxy, { extraCa: false })).rejects.toMatchObject({
      code: 'entra_tls',
      message: expect.stringMatching(
        /^the TLS connection to Entra ID at login\.microsoftonline\.com:443 failed \(/,
      ),
    })
    expect(simulator.log.counters().byTarget.token).toBe(0)
  })

  test('rejects a certificate for another name', async () => {
    await using simulator = await createSimulator({ names: ['login.microsoftonline.us'] })
    await using proxy = await startProxy(simulator, LOGIN)
    await expect(exchange(simulator, proxy)).rejects.toMatchObject({ code: 'entra_tls' })
  })
})

interface Settings {
  readonly authorityHost?: string
  readonly region?: string
  readonly userInfo?: string
  readonly extraCa?: false
  readonly scheme?: 'https'
}

async function exchange(
  simulator: Simulator,
  proxy: Pick<ConnectProxy, 'port'>,
  settings: Settings = {},
) {
  const { authorityHost = `https://${LOGIN}`, region, userInfo = '', extraCa } = settings
  const { scheme = 'http' } = settings
  const dispatcher = createEntraDispatcher({
    ...(extraCa !== false && { extraCa: simulator.caPem }),
    proxy: proxyAt(`${scheme}://${userInfo}127.0.0.1:${proxy.port}`),
  })
  const source = createTestExchange({
    dispatcher,
    clock: systemClock,
    ...(region !== undefined && { region }),
  })
  try {
    const identity = { ...identityOf(simulator), authorityHost }
    return await source({ identity, scope: 'https://vault.azure.net/.default' })
  } finally {
    await dispatcher.destroy()
  }
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

function formatChain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return `${error.message} ${error.cause === undefined ? '' : formatChain(error.cause)}`
}

const proxyAt = (url: string) => ({ url: new Secret(url), noProxy: '' })

const throughProxy = (port: number) =>
  createEntraDispatcher({ proxy: proxyAt(`http://127.0.0.1:${port}`) })

describe('a connection', () => {
  const HOST = 'login.entra.example'
  const versions: string[] = []
  let caPem = ''
  let otherCaPem = ''
  let server: ReturnType<typeof createSecureServer>
  beforeAll(async () => {
    const authority = await createCertificateAuthority()
    caPem = authority.caPem
    otherCaPem = (await createCertificateAuthority()).caPem
    const { certPem: cert, keyPem: key }: IssuedCertificate = await authority.issue({
      names: [HOST, '127.0.0.1'],
    })
    server = createSecureServer({ cert, key, allowHTTP1: true }, ({ httpVersion }, response) => {
      versions.push(httpVersion)
      response.end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(() => server.close())

  const origin = () => `https://127.0.0.1:${portOf(server)}`

  test.each([
    ['Entra ID', () => createEntraDispatcher({ extraCa: caPem })],
    ['the token proxy', () => createTokenProxyDispatcher({ url: origin(), ca: { pem: caPem } })],
  ])('to %s uses HTTP/1.1 although the server offers HTTP/2', async (_, createDispatcher) => {
    const dispatcher = createDispatcher()
    const { body } = await request(origin(), { dispatcher })
    await body.dump()
    await dispatcher.destroy()
    expect(versions.at(-1)).toBe('1.1')
  })

  const toEntra = (url: string) => ({ url, dispatcher: createEntraDispatcher({ extraCa: caPem }) })
  const toTokenProxy = (url: string) => ({
    url,
    dispatcher: createTokenProxyDispatcher({ url, ca: { pem: caPem } }),
  })
  const toEntraThroughProxy = (_: string, proxyUrl: string) => ({
    url: `https://${HOST}`,
    dispatcher: createEntraDispatcher({ extraCa: caPem, proxy: proxyAt(proxyUrl) }),
  })

  /** Starts a server behind which the other one is, and whose first connection hangs. */
  async function startHanging() {
    let connections = 0
    const front = createServer((socket) => {
      connections += 1
      if (connections === 1) return
      const upstream = connect(portOf(server), '127.0.0.1')
      socket.pipe(upstream).pipe(socket)
    })
    return { ...(await listening(front)), connections: () => connections }
  }

  test.each([
    ['Entra ID', toEntra],
    ['the token proxy', toTokenProxy],
    ['Entra ID through a proxy', toEntraThroughProxy],
  ])('to %s does not wait for another one that hangs', async (_, create) => {
    await using front = await startHanging()
    await using proxy = await connectProxy({ routes: { [`${HOST}:443`]: front.port } })
    const { url, dispatcher } = create(
      `https://127.0.0.1:${front.port}`,
      `http://127.0.0.1:${proxy.port}`,
    )
    const hanging = request(url, { dispatcher }).catch(formatChain)
    await expect.poll(front.connections).toBe(1)
    const { statusCode, body } = await Promise.race([
      request(url, { dispatcher }),
      rejects(hanging),
    ])
    await body.dump()
    expect(statusCode).toBe(200)
    await dispatcher.destroy()
  })

  test.each([
    ['Entra ID', toEntra],
    ['the token proxy', toTokenProxy],
    ['Entra ID through a proxy', toEntraThroughProxy],
  ])('to %s that hangs is given up with its request', async (_, create) => {
    await using front = await startHanging()
    await using proxy = await connectProxy({ routes: { [`${HOST}:443`]: front.port } })
    const { url, dispatcher } = create(
      `https://127.0.0.1:${front.port}`,
      `http://127.0.0.1:${proxy.port}`,
    )
    const attempt = new AbortController()
    const hanging = request(url, { dispatcher, signal: attempt.signal }).catch(formatChain)
    await expect.poll(front.connections).toBe(1)
    attempt.abort()
    await hanging
    const { statusCode, body } = await request(url, { dispatcher })
    await body.dump()
    expect(statusCode).toBe(200)
    await dispatcher.destroy()
  })

  test('trusts extra CAs in addition to the default ones, for its own connections alone', async () => {
    const defaults = getCACertificates('default')
    expect(await fetchStatus(origin(), { extraCa: `${otherCaPem}${caPem}` })).toBe(200)
    expect(await fetchStatus(origin(), {})).toMatch(/certificate/)
    expect(await fetchStatus(origin(), { extraCa: otherCaPem })).toMatch(/certificate/)
    try {
      setDefaultCACertificates([...defaults, caPem])
      expect(await fetchStatus(origin(), { extraCa: otherCaPem })).toBe(200)
    } finally {
      setDefaultCACertificates(defaults)
    }
  })

  test('names a proxy that does not speak HTTP', async () => {
    await using other = await listening(
      createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')),
    )
    const dispatcher = throughProxy(other.port)
    const error = await request(`https://${HOST}/`, { dispatcher }).catch(
      (thrown: unknown) => thrown,
    )
    await dispatcher.destroy()
    expect(error).toMatchObject({
      code: 'entra_bad_response',
      problem: `the proxy 127.0.0.1:${other.port} answered in another protocol than HTTP`,
      fix: 'check HTTPS_PROXY, which must be the URL of a proxy',
    })
  })

  test('times out when a proxy does not open the tunnel, without blocking the next one', async () => {
    let isSilent = true
    const routes = { [`${HOST}:443`]: portOf(server) }
    await using proxy = await connectProxy({ routes, isSilent: () => isSilent })
    const impatient = createEntraDispatcher({
      extraCa: caPem,
      proxy: proxyAt(`http://127.0.0.1:${proxy.port}`),
      connectTimeoutMs: 200,
    })
    const error = await request(`https://${HOST}/`, { dispatcher: impatient }).catch(String)
    expect(error).toMatch(/the proxy 127\.0\.0\.1:\d+ did not answer in time\. Fix: /)
    isSilent = false
    await expect
      .poll(() =>
        request(`https://${HOST}/`, { dispatcher: impatient }).then(
          ({ statusCode, body }) => body.dump().then(() => statusCode),
          String,
        ),
      )
      .toBe(200)
    expect(proxy.tunnels.length).toBeGreaterThanOrEqual(2)
    await impatient.destroy()
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
    const { dispatcher } = createExchangeDispatchers({
      extraCa: undefined,
      tokenProxy: undefined,
      timeoutMs: 60_000,
      proxy: proxyAt(`http://127.0.0.1:${proxy.port}`),
    })
    let error = ''
    const sent = request(`https://${HOST}/`, { dispatcher }).catch(
      (thrown: unknown) => (error = String(thrown)),
    )
    await asked.promise
    await vi.advanceTimersByTimeAsync(29_999)
    expect(error).toBe('')
    await vi.advanceTimersByTimeAsync(1)
    expect(await sent).toMatch(/the proxy 127\.0\.0\.1:\d+ did not answer in time\. Fix: /)
    await dispatcher.destroy()
  })

  test.each([
    ['has expired', -400, 'CERT_HAS_EXPIRED'],
    ['is not yet valid', 400, 'CERT_NOT_YET_VALID'],
  ])('to a server whose certificate %s names the clock in its fix', async (_, days, code) => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + days * 86_400_000 })
    const authority = await createCertificateAuthority()
    const { certPem, keyPem } = await authority.issue({ names: ['127.0.0.1'] })
    vi.useRealTimers()
    await using other = await listening(createTlsServer({ cert: certPem, key: keyPem }))
    const dispatcher = createEntraDispatcher({ extraCa: authority.caPem })
    const error = await request(`https://127.0.0.1:${other.port}/`, { dispatcher }).catch(
      (thrown: unknown) => thrown,
    )
    await dispatcher.destroy()
    const { problem, fix } = toTransportError(error, ENTRA)
    expect(problem).toContain(`(${code})`)
    expect(fix).toMatch(/^compare the clock of the node with the real time/)
  })

  test.each(['127.0.0.1', 'localhost', '[::1]'])('to %s does not use the proxy', async (host) => {
    await using proxy = await connectProxy({ routes: {} })
    const dispatcher = createEntraDispatcher({
      proxy: proxyAt(`http://user:word@127.0.0.1:${proxy.port}`),
      connectTimeoutMs: 200,
    })
    await request(`https://${host}:9/`, { dispatcher }).catch(() => {})
    await dispatcher.destroy()
    expect(proxy.tunnels).toEqual([])
  })

  test.each([
    ['login.entra.example', '', true],
    ['login.entra.example', '*', false],
    ['login.entra.example', 'a.example entra.example', false],
    ['login.entra.example', 'ntra.example,login.entra.example:8443', true],
    ['login.entra.example', '*.Entra.example:443', false],
    ['entra.example', '*.entra.example', true],
    ['login.entra.example.', '.entra.example.', false],
    ['10.0.0.1', '[10.0.0.1]:443', false],
    ['[fd00::1]', 'fd00::2,[fd00::1]:443', false],
    ['[fd00::1]', '[fd00::1]:8443,fd00::1:443', true],
    ['localhost', '', false],
  ])('to %s with NO_PROXY=%j uses the proxy: %s', async (host, noProxy, expected) => {
    await using proxy = await connectProxy({ routes: {} })
    const connections: string[] = []
    const dispatcher = createEntraDispatcher({
      proxy: { ...proxyAt(`http://127.0.0.1:${proxy.port}`), noProxy },
      connect: ({ host: name }) => {
        connections.push(formatUrlHost(name))
        return Promise.reject(new Error('not connected'))
      },
    })
    await request(`https://${host}/`, { dispatcher }).catch(() => {})
    await dispatcher.destroy()
    expect(connections).toEqual([expected ? '127.0.0.1' : host])
  })

  test.each([
    ['Entra ID', () => createEntraDispatcher({})],
    ['Entra ID with extra CAs', () => createEntraDispatcher({ extraCa: otherCaPem })],
    ['Entra ID through a proxy', throughProxy],
    ['the token proxy', () => createTokenProxyDispatcher({ url: origin() })],
  ])('to %s verifies the certificate despite NODE_TLS_REJECT_UNAUTHORIZED=0', async (_, create) => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    await using proxy = await connectProxy({ routes: { [`${HOST}:443`]: portOf(server) } })
    const dispatcher = create(proxy.port)
    const url = create === throughProxy ? `https://${HOST}/` : origin()
    const error = await request(url, { dispatcher }).catch(formatChain)
    await dispatcher.destroy()
    expect(error).toMatch(/certificate/)
  })

  test('reads no proxy from the environment of the process', async () => {
    await using other = await connectProxy({ routes: {} })
    const url = `http://127.0.0.1:${other.port}`
    const proxy = proxyAt('http://127.0.0.1:9')
    const dispatcher = createEntraDispatcher({ extraCa: caPem, proxy })
    vi.stubEnv('HTTPS_PROXY', url).stubEnv('HTTP_PROXY', url).stubEnv('NO_PROXY', '*')
    await request(`https://${HOST}/`, { dispatcher }).catch(() => {})
    await dispatcher.destroy()
    expect(other.tunnels).toEqual([])
  })
})

/** Throws when the other request has ended first. */
async function rejects(ended: Promise<unknown>): Promise<never> {
  throw new Error(`the request that hangs ended first: ${String(await ended)}`)
}

/** Returns the status that a server answers, or the chain of messages of the error. */
async function fetchStatus(origin: string, settings: { extraCa?: string }) {
  const dispatcher = createEntraDispatcher(settings)
  try {
    const { statusCode, body } = await request(origin, { dispatcher })
    await body.dump()
    return statusCode
  } catch (error) {
    return formatChain(error)
  } finally {
    await dispatcher.destroy()
  }
}
