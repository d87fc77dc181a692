/** Creates the dispatchers for exchanges: direct, through an HTTP proxy, or to the token proxy. */
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Dispatcher } from 'undici'
import type { Config, TokenProxySettings } from '../config/config.ts'
import { BrokerError } from '../../lib/errors.ts'
import type { Identity } from '../identities.ts'
import { type Assertion, isForDirectFederation } from './assertion.ts'
import { CaFileDispatcher } from './ca-file.ts'
import { isLinkLocal, isLoopback, removeBrackets } from '../../lib/hosts.ts'
import { Agent, EnvHttpProxyAgent, Pool, request } from '../../lib/undici.ts'
import { CONNECT_OPTIONS, HTTP1_ONLY } from './http-client.ts'
import { createProxyDestination, type Destination, toTransportError } from './transport-errors.ts'

type ProxySettings = NonNullable<Config['exchange']['proxy']>

interface DispatcherOptions {
  /** PEM certificates trusted in addition to Node's default roots and NODE_EXTRA_CA_CERTS. */
  readonly extraCa?: string
  readonly proxy?: ProxySettings
  /** Time limit of each step of connecting, in milliseconds. */
  readonly connectTimeoutMs?: number
}

/** The dispatchers of a configuration. Nothing is connected before a request is sent. */
export interface ExchangeDispatchers {
  /** Sends requests to Entra ID. */
  readonly dispatcher: Dispatcher
  /** Sends requests to the token proxy of identity bindings; undefined: there is none. */
  readonly tokenProxy?: Dispatcher
  /** The URL of the token proxy, for messages. */
  readonly tokenProxyUrl?: string
}

/** Creates the dispatchers of a configuration. */
export function createExchangeDispatchers({
  proxy,
  tokenProxy,
  extraCa,
}: Pick<Config['exchange'], 'proxy' | 'tokenProxy' | 'extraCa'>): ExchangeDispatchers {
  const options = proxy === undefined ? {} : { proxy }
  return {
    dispatcher:
      extraCa === undefined
        ? createEntraDispatcher(options)
        : new CaFileDispatcher(extraCa, (pem) =>
            createEntraDispatcher({ ...options, extraCa: pem }),
          ),
    ...(tokenProxy !== undefined && {
      tokenProxy: createTokenProxyDispatcher(tokenProxy),
      tokenProxyUrl: tokenProxy.url,
    }),
  }
}

/** Creates a dispatcher to Entra ID that pools connections and closes them when they are idle. */
export function createEntraDispatcher({
  extraCa,
  proxy,
  connectTimeoutMs = CONNECT_OPTIONS.timeout,
}: DispatcherOptions): Dispatcher {
  const connect = {
    ...CONNECT_OPTIONS,
    timeout: connectTimeoutMs,
    // Created once, and not for each connection.
    ...(extraCa !== undefined && {
      secureContext: createContext(extraCa),
    }),
  }
  if (proxy === undefined) return new Agent({ ...HTTP1_ONLY, connect })
  return new Agent({
    ...HTTP1_ONLY,
    connect,
    factory: (origin) =>
      isLocal(new URL(origin).hostname)
        ? new Pool(origin, { ...HTTP1_ONLY, connect })
        : new EnvHttpProxyAgent({
            ...readProxy(proxy),
            ...HTTP1_ONLY,
            connect,
            requestTls: connect,
            proxyTls: connect,
            // Limits the wait for the proxy's response to CONNECT, which undici cannot abort: its default is
            // five minutes.
            clientFactory: (proxyOrigin, options) =>
              new ProxyPool(proxyOrigin, { ...options, headersTimeout: connectTimeoutMs }),
          }),
  })
}

const CA_FILE_FIX =
  'set AZURE_KUBERNETES_CA_FILE to the CA certificate that the AKS webhook mounts for the token proxy'

/**
 * Creates a dispatcher that sends every request to the token proxy of a cluster's identity bindings instead of Entra ID,
 * with the path appended to the proxy's. It uses no HTTP proxy, since the token proxy is inside the cluster, which
 * rotates the CA file. Its certificate may be issued by the cluster's own CA, which then is the only trusted one.
 */
export function createTokenProxyDispatcher({ url, sniName, ca }: TokenProxySettings): Dispatcher {
  const { origin, pathname } = new URL(url)
  const prefix = pathname.replace(/\/+$/, '')
  const create = (pem?: string) =>
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
    })
  if (ca === undefined || 'pem' in ca) return create(ca?.pem)
  return new CaFileDispatcher({ ...ca, fix: CA_FILE_FIX }, create)
}

/**
 * Returns whether the exchanges of an identity go through the token proxy, if there is one. By default the
 * assertion decides: a token for direct federation goes to Entra ID, which is the only one to accept it.
 * So does the token of a managed identity.
 */
export function usesTokenProxy(
  { exchangeVia, assertionFrom }: Pick<Identity, 'exchangeVia' | 'assertionFrom'>,
  assertion: Pick<Assertion, 'audience'>,
): boolean {
  if (assertionFrom !== undefined) return false
  if (exchangeVia !== undefined) return exchangeVia === 'token-proxy'
  return !isForDirectFederation(assertion)
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

/** Returns the proxy options of undici, all of them, since it reads `process.env` for those left out. */
function readProxy({ url, noProxy }: ProxySettings) {
  return { httpProxy: '', httpsProxy: url.reveal(), noProxy }
}

/** Returns whether requests to an https origin go through the proxy: undici decides, and sends nothing. */
export async function usesProxy(origin: string, proxy: ProxySettings): Promise<boolean> {
  if (isLocal(new URL(origin).hostname)) return false
  let isDirect = false
  const dispatcher = new EnvHttpProxyAgent({
    ...readProxy(proxy),
    connect: (_target, done) => {
      isDirect = true
      done(new Error('not connected'), null)
    },
    clientFactory: (proxyOrigin) =>
      new Pool(proxyOrigin, {
        connect: (_target, done) => done(new Error('not connected'), null),
      }),
  })
  await request(origin, { dispatcher }).catch(() => {})
  await dispatcher.destroy()
  return !isDirect
}

/** Returns true for a loopback or link-local host, which no proxy can reach: the real IMDS is among them. */
function isLocal(hostname: string): boolean {
  const host = removeBrackets(hostname).replace(/\.$/, '')
  const isLocalName = host === 'localhost' || host.endsWith('.localhost')
  return isLocalName || isLoopback(host) || isLinkLocal(host)
}
