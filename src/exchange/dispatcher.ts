/** The connections to Entra ID: trusted roots, connect time limit, and the proxy of the environment. */
import { createSecureContext, getCACertificates } from 'node:tls'
import { Agent, type Dispatcher, Pool, ProxyAgent } from 'undici'
import type { Secret } from '../secret.ts'
import { CONNECTING } from './connecting.ts'
import { isProxied } from './proxied.ts'

interface DispatcherOptions {
  /** PEM certificates to trust beside Node's default roots and NODE_EXTRA_CA_CERTS. */
  readonly extraCa?: string
  readonly proxy?: { readonly url: Secret; readonly noProxy: string }
  /** Limit of each step of making a connection, in milliseconds. */
  readonly connectTimeoutMs?: number
}

/** A dispatcher that pools a few connections and lets them go when they are idle. */
export function createEntraDispatcher({
  extraCa,
  proxy,
  connectTimeoutMs = CONNECTING.timeout,
}: DispatcherOptions): Dispatcher {
  const connect = {
    ...CONNECTING,
    timeout: connectTimeoutMs,
    // Made once: to read some 150 certificates takes 10 ms and 1 MB, each time.
    ...(extraCa !== undefined && {
      secureContext: createSecureContext({ ca: [...getCACertificates('default'), extraCa] }),
    }),
  }
  if (proxy === undefined) return new Agent({ connect })
  const { url, noProxy } = proxy
  return new Agent({
    connect,
    factory: (origin) => {
      if (!isProxied(targetOf(origin), noProxy)) return new Pool(origin, { connect })
      return new ProxyAgent({
        // The receiver of the password that it may hold.
        uri: url.reveal(),
        requestTls: connect,
        proxyTls: connect,
        // A tunnel that is asked for and not opened would hold up all that come after it for undici's
        // five minutes: they wait for the connection that it was to become.
        clientFactory: (proxyOrigin, tunnel) =>
          new Pool(proxyOrigin, { ...tunnel, headersTimeout: connectTimeoutMs }),
      })
    },
  })
}

function targetOf(origin: string | URL) {
  const { hostname: host, port } = new URL(origin)
  return { host, port: port === '' ? 443 : Number(port) }
}
