/** The connections to Entra ID: trusted roots, connect time limit, and the proxy of the environment. */
import { createSecureContext, getCACertificates } from 'node:tls'
import { Agent, type Dispatcher, EnvHttpProxyAgent, Pool } from 'undici'
import type { Secret } from '../secret.ts'
import { CONNECTING, NEVER_PROXIED } from './connecting.ts'

interface DispatcherOptions {
  /** PEM certificates to trust beside Node's default roots and NODE_EXTRA_CA_CERTS. */
  readonly extraCa?: string
  readonly proxy?: { readonly url: Secret; readonly noProxy: string }
  /** Limit of each step of making a connection, in milliseconds. */
  readonly connectTimeoutMs?: number
}

/** A dispatcher that pools a few connections and lets them go when they are idle. */
export function entraDispatcher({
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
  return new EnvHttpProxyAgent({
    connect,
    requestTls: connect,
    proxyTls: connect,
    // A tunnel that is asked for and not opened would hold up all that come after it for undici's
    // five minutes: they wait for the connection that it was to become.
    clientFactory: (origin, options) =>
      new Pool(origin, { ...options, headersTimeout: connectTimeoutMs }),
    // The receiver of the password that it may hold.
    httpsProxy: proxy.url.reveal(),
    noProxy: [proxy.noProxy, ...NEVER_PROXIED].filter(Boolean).join(','),
  })
}
