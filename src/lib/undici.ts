/**
 * The parts of undici that run in a cluster, loaded one by one. The package's main module also loads `fetch`,
 * WebSocket, its cache and its mocks, which need 1.7 MiB in each sidecar (docs/decisions/0064).
 */
import api from 'undici/lib/api/index.js'
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js'

export { default as buildConnector } from 'undici/lib/core/connect.js'
export { default as Agent } from 'undici/lib/dispatcher/agent.js'
export { default as EnvHttpProxyAgent } from 'undici/lib/dispatcher/env-http-proxy-agent.js'
export { default as Pool } from 'undici/lib/dispatcher/pool.js'
export { Dispatcher }

// The main module of undici does the same: it makes `request` and, for the agent of a proxy, `connect` methods of a dispatcher.
Object.assign(Dispatcher.prototype, api)

/** The options of undici's own `request`, with a dispatcher: there is no global one here. */
type RequestOptions = Omit<Dispatcher.RequestOptions, 'origin' | 'path' | 'method'> & {
  readonly dispatcher: Dispatcher
  readonly method?: Dispatcher.HttpMethod
}

/** Sends a request and returns the response, whose body the caller has to read or destroy. */
export function sendRequest(
  url: string | URL,
  { dispatcher, method = 'GET', ...options }: RequestOptions,
): Promise<Dispatcher.ResponseData> {
  const { origin, pathname, search } = new URL(url)
  return dispatcher.request({ ...options, method, origin, path: `${pathname}${search}` })
}
