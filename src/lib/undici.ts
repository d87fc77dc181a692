/**
 * The parts of undici that run in a cluster, loaded one by one. The package's main module also loads `fetch`,
 * WebSocket, its cache and its mocks, which need 1.7 MiB in each sidecar.
 */
import api from 'undici/lib/api/index.js'
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js'

export { default as buildConnector } from 'undici/lib/core/connect.js'
export { default as Agent } from 'undici/lib/dispatcher/agent.js'
export { Dispatcher }

// The main module of undici does the same: it makes `request` a method of a dispatcher.
Object.assign(Dispatcher.prototype, api)
