/** Creates the dispatchers for exchanges: direct, through an HTTP proxy, or to the token proxy. */
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Config, TrustedCertificates } from '../config/config.ts'
import { type Connect, createConnect } from '../../lib/connect.ts'
import { type AgentOptions, createAgent, createHandshake } from '../../lib/connector.ts'
import { untilAborted, withDeadline } from '../../lib/deadline.ts'
import { readWholeFile } from '../../lib/files.ts'
import { isCertificates } from '../../lib/pem.ts'
import { createSingleFlight } from '../../lib/semaphore.ts'
import { Dispatcher } from '../../lib/undici.ts'
import { connectThroughProxy, type ProxySettings } from './proxy.ts'
import { type Destination, TOKEN_PROXY, withPeer } from './transport-errors.ts'

type ConnectOptions = Omit<AgentOptions, 'handshake'>

/** The dispatcher of a request, and the server that its errors name. */
export interface Route {
  readonly dispatcher: Dispatcher
  readonly destination: Destination
}

/** The dispatchers of a configuration. Nothing is connected before a request is sent. */
export interface ExchangeDispatchers {
  readonly dispatcher: Dispatcher
  /** The route to the token proxy of identity bindings; undefined: there is none. */
  readonly tokenProxy?: Route | undefined
}

/** Creates the dispatchers. `connect` opens all connections of a process. */
export function createExchangeDispatchers(
  {
    proxy,
    tokenProxy,
    extraCa,
    timeoutMs,
  }: Pick<Config['exchange'], 'proxy' | 'tokenProxy' | 'extraCa' | 'timeoutMs'>,
  connect: Connect = createConnect(),
): ExchangeDispatchers {
  // Two attempts must fit in the time limit: the second may have another route, or a proxy may have resolved the host by then.
  const options = { connect, connectTimeoutMs: timeoutMs / 2 }
  return {
    dispatcher: followCertificates(extraCa, (pem) => createEntraDispatcher(pem, proxy, options)),
    tokenProxy: tokenProxy && {
      dispatcher: createTokenProxyDispatcher(tokenProxy, options),
      destination: withPeer(TOKEN_PROXY, tokenProxy.url),
    },
  }
}

/** Creates a dispatcher to Entra ID. `extraCa` is trusted in addition to Node's default roots and NODE_EXTRA_CA_CERTS. */
function createEntraDispatcher(
  extraCa: string | undefined,
  proxy: ProxySettings | undefined,
  { connect, connectTimeoutMs }: ConnectOptions,
): Dispatcher {
  // The context is created once, and not for each connection.
  const handshake = createHandshake(
    extraCa === undefined ? {} : { secureContext: createContext(extraCa) },
  )
  const route =
    proxy === undefined ? connect : connectThroughProxy({ ...proxy, connect, handshake })
  return createAgent({ connect: route, handshake, connectTimeoutMs })
}

/**
 * Creates a dispatcher that sends every request to the token proxy of a cluster's identity bindings instead of Entra ID, with
 * the path appended to the proxy's path. It uses no HTTP proxy, since the token proxy is inside the cluster. If the settings
 * name the cluster's own CA, no other CA is trusted; its file is read again, since the cluster rotates it.
 */
function createTokenProxyDispatcher(
  { url, sniName, ca }: NonNullable<Config['exchange']['tokenProxy']>,
  { connect, connectTimeoutMs }: ConnectOptions,
): Dispatcher {
  const { origin, pathname } = new URL(url)
  const prefix = pathname.replace(/\/+$/, '')
  return followCertificates(ca, (pem) => {
    const handshake = createHandshake({
      ...(pem !== undefined && { ca: pem }),
      ...(sniName !== undefined && { servername: sniName }),
    })
    const agent = createAgent({ connect, handshake, connectTimeoutMs })
    return agent.compose(
      (dispatch) => (sent, handler) =>
        dispatch({ ...sent, origin, path: prefix + sent.path }, handler),
    )
  })
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
 * Creates a dispatcher that follows the rotation of a CA. It reads the CA file before each request, and calls `create` again
 * when the certificates have changed. Connections of the former dispatcher finish their requests and get no new ones. While the
 * file cannot be read in time, or has no certificates, the last good certificates stay in use.
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

  /** Returns the dispatcher for the certificates that are in the file now. Never rejects: the last good ones stay in use. */
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
