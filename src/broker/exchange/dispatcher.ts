/** Creates the dispatchers for exchanges: direct, through an HTTP proxy, or to the token proxy. */
import type { LookupFunction } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Config, TokenProxySettings, TrustedCertificates } from '../config/config.ts'
import { untilAborted, withDeadline } from '../../lib/deadline.ts'
import { BrokerError } from '../../lib/errors.ts'
import { readWholeFile } from '../../lib/files.ts'
import { isCertificates } from '../../lib/pem.ts'
import { createSingleFlight } from '../../lib/single-flight.ts'
import { Agent, Dispatcher, EnvHttpProxyAgent, Pool } from '../../lib/undici.ts'
import {
  createProxyDestination,
  type Destination,
  TOKEN_PROXY,
  toTransportError,
  withPeer,
} from './transport-errors.ts'

/**
 * Options of undici's dispatchers and connections. One request at a time, hours apart, has no use for HTTP/2, for which
 * Node loads more code; and while a server may choose it, a pool makes all requests wait for its first connection.
 */
const HTTP1_ONLY = { allowH2: false } as const

/** How every exchange connects, to Entra ID or to a proxy. */
const CONNECT_OPTIONS = {
  ...HTTP1_ONLY,
  /** Milliseconds, TLS handshake included: two attempts, the second 3 s later, fail before a caller has waited for 8 s. */
  timeout: 4000,
  // Otherwise NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment sends the assertion to any server.
  rejectUnauthorized: true,
} as const

type ProxySettings = NonNullable<Config['exchange']['proxy']>

interface DispatcherOptions {
  /** PEM certificates trusted in addition to Node's default roots and NODE_EXTRA_CA_CERTS. */
  readonly extraCa?: string | undefined
  readonly proxy?: ProxySettings | undefined
  /** Time limit of each step of connecting, in milliseconds. */
  readonly connectTimeoutMs?: number
  /** Looks up the host of a direct connection, in place of Node. */
  readonly lookup?: LookupFunction
}

/** The dispatcher of a request, and the server that it connects to, which only its errors name. */
export interface Route {
  readonly dispatcher: Dispatcher
  readonly destination: Destination
}

/** The dispatchers of a configuration. Nothing is connected before a request is sent. */
export interface ExchangeDispatchers {
  readonly dispatcher: Dispatcher
  /** The way to the token proxy of identity bindings; undefined: there is none. */
  readonly tokenProxy?: Route | undefined
}

export function createExchangeDispatchers({
  proxy,
  tokenProxy,
  extraCa,
}: Pick<Config['exchange'], 'proxy' | 'tokenProxy' | 'extraCa'>): ExchangeDispatchers {
  return {
    dispatcher: followCertificates(extraCa, (pem) =>
      createEntraDispatcher({ proxy, extraCa: pem }),
    ),
    tokenProxy: tokenProxy && {
      dispatcher: createTokenProxyDispatcher(tokenProxy),
      destination: withPeer(TOKEN_PROXY, tokenProxy.url),
    },
  }
}

/** Hosts that no proxy can reach. */
const LOCAL_HOSTS = 'localhost,127.0.0.1,::1'

/** Returns the proxy options of undici, all of them, since it reads `process.env` for one that is left out. */
function readProxy({ url, noProxy }: ProxySettings) {
  return { httpProxy: '', httpsProxy: url.reveal(), noProxy: `${noProxy},${LOCAL_HOSTS}` }
}

/** Creates a dispatcher to Entra ID that pools connections and closes them when they are idle. */
export function createEntraDispatcher({
  extraCa,
  proxy,
  connectTimeoutMs = CONNECT_OPTIONS.timeout,
  lookup,
}: DispatcherOptions): Dispatcher {
  const connect = {
    ...CONNECT_OPTIONS,
    timeout: connectTimeoutMs,
    // Created once, and not for each connection.
    ...(extraCa !== undefined && { secureContext: createContext(extraCa) }),
  }
  const direct = lookup === undefined ? connect : { ...connect, lookup }
  if (proxy === undefined) return new Agent({ ...HTTP1_ONLY, connect: direct })
  return new EnvHttpProxyAgent({
    ...readProxy(proxy),
    ...HTTP1_ONLY,
    connect: direct,
    requestTls: connect,
    proxyTls: connect,
    // Limits the wait for the proxy's response to CONNECT, which undici cannot abort: its default is five minutes.
    clientFactory: (proxyOrigin, options) =>
      new ProxyPool(proxyOrigin, { ...options, headersTimeout: connectTimeoutMs }),
  })
}

/**
 * Creates a dispatcher that sends every request to the token proxy of a cluster's identity bindings instead of Entra ID,
 * with the path appended to the proxy's. It uses no HTTP proxy, since the token proxy is inside the cluster, which
 * rotates the CA file. Its certificate may be issued by the cluster's own CA, which then is the only trusted one.
 */
export function createTokenProxyDispatcher({ url, sniName, ca }: TokenProxySettings): Dispatcher {
  const { origin, pathname } = new URL(url)
  const prefix = pathname.replace(/\/+$/, '')
  return followCertificates(ca, (pem) =>
    new Agent({
      ...HTTP1_ONLY,
      connect: {
        ...CONNECT_OPTIONS,
        ...(pem !== undefined && { ca: pem }),
        ...(sniName !== undefined && { servername: sniName }),
      },
    }).compose((dispatch) => (sent, handler) => {
      const path = `${prefix}${sent.path.startsWith('/') ? '' : '/'}${sent.path}`
      return dispatch({ ...sent, origin, path }, handler)
    }),
  )
}

/** The connections to an HTTP proxy. Its failures are errors of the proxy, not of the server behind it. */
class ProxyPool extends Pool {
  readonly #proxy: Destination

  constructor(url: URL, options: object) {
    super(url, options)
    this.#proxy = createProxyDestination(url)
  }

  /** Requests a tunnel. Throws the `BrokerError` of a proxy that does not open it. */
  override async connect(options: Dispatcher.ConnectOptions): Promise<Dispatcher.ConnectData> {
    const response = await super.connect(options).catch((error: unknown) => {
      throw toTransportError(error, this.#proxy)
    })
    const { socket, statusCode } = response
    if (statusCode === 200) return response
    // Destroying a socket may emit an error, which ends the process if nothing listens.
    socket.on('error', () => {}).destroy()
    throw new BrokerError(
      'entra_unreachable',
      `${this.#proxy.name} answered ${statusCode} instead of connecting to ${options.path}`,
      'check HTTPS_PROXY, its user and password, and whether the proxy allows the login host',
    )
  }
}

/**
 * Creates a context that trusts these certificates in addition to the default roots. With the option `ca`, Node would
 * have to parse all the roots once more, about 150 certificates, in 5 ms.
 */
function createContext(extraCa: string): SecureContext {
  const secureContext = createSecureContext()
  secureContext.context.addCACert(extraCa)
  return secureContext
}

/** How long a request waits for the file of its CAs, whose file system may hang, in milliseconds. */
const READ_TIMEOUT_MS = 1000

/**
 * Creates a dispatcher for these certificates, which change when a CA is rotated. It reads their file before each request, and creates another dispatcher when
 * they have changed. Connections that were trusted by the former ones finish their requests and get no new ones. While the
 * file cannot be read in time, or has no certificates, the last good ones stay in use.
 */
export function followCertificates(
  { file, pem }: Partial<TrustedCertificates> = {},
  create: (pem?: string) => Dispatcher,
  readFile: (path: string) => Promise<string> = readWholeFile,
): Dispatcher {
  const first = create(pem)
  if (file === undefined) return first
  const share = createSingleFlight<string>()
  let current = { pem, dispatcher: first }

  /** Never rejects: the last good certificates stay in use. */
  async function reload(path: string): Promise<Dispatcher> {
    const read = share(path, () => readFile(path))
    const inTime = withDeadline(READ_TIMEOUT_MS, (signal) => untilAborted(read, signal))
    const next = await inTime.catch(() => current.pem)
    if (next !== undefined && next !== current.pem && isCertificates(next)) {
      current.dispatcher.close().catch(() => {})
      current = { pem: next, dispatcher: create(next) }
    }
    return current.dispatcher
  }

  return Object.assign(new Dispatcher(), {
    dispatch: (...request: Parameters<Dispatcher['dispatch']>) => {
      void reload(file).then((dispatcher) => dispatcher.dispatch(...request))
      return true
    },
    close: () => current.dispatcher.close(),
    destroy: () => current.dispatcher.destroy(),
  })
}
