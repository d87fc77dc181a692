// The parts of undici that the exchange calls. Its main module also brings `fetch`, WebSocket, mocks
// and caches.
import connect from 'undici/lib/api/api-connect.js'
import request from 'undici/lib/api/api-request.js'
import buildConnector from 'undici/lib/core/connect.js'
import Agent from 'undici/lib/dispatcher/agent.js'
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js'
import Pool from 'undici/lib/dispatcher/pool.js'
import EnvHttpProxyAgent from 'undici/lib/dispatcher/env-http-proxy-agent.js'

// What the main module does, too: by this the way through an HTTP proxy is opened.
Dispatcher.prototype.connect = connect

/** undici's `request` for a URL and a dispatcher that are always given. */
function requestUrl(url, { dispatcher, ...options }) {
  const { origin, pathname, search } = new URL(url)
  return request.call(dispatcher, { ...options, origin, path: `${pathname}${search}` })
}

export { Agent, buildConnector, EnvHttpProxyAgent, Pool, requestUrl as request }
