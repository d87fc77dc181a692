/** Connects through an HTTP proxy (CONNECT), except to the hosts of NO_PROXY. */
import { request } from 'node:http'
import type { Socket } from 'node:net'
import type { Config } from '../config/config.ts'
import type { Connect } from '../../lib/connect.ts'
import type { Peer } from '../../lib/connect-error.ts'
import type { Handshake } from '../../lib/connector.ts'
import { untilAborted } from '../../lib/deadline.ts'
import { BrokerError } from '../../lib/errors.ts'
import { formatUrlHost, removeBrackets } from '../../lib/hosts.ts'
import { createProxyDestination, toTransportError } from './transport-errors.ts'

export type ProxySettings = NonNullable<Config['exchange']['proxy']>

interface ProxyOptions extends ProxySettings {
  readonly connect: Connect
  /** The TLS of a proxy with an `https:` URL. */
  readonly handshake: Handshake
}

/** Hosts that no proxy can reach. */
const LOCAL_HOSTS = 'localhost,127.0.0.1,::1'

/**
 * Creates a function that connects like `connect`, but through the proxy. It returns the socket to the proxy, which has TLS if
 * the proxy has an `https:` URL. It throws a `BrokerError` if the proxy cannot be reached or does not open the tunnel in time.
 */
export function connectThroughProxy({ url, noProxy, connect, handshake }: ProxyOptions): Connect {
  const isDirect = parseNoProxy(`${noProxy},${LOCAL_HOSTS}`)
  const proxy = new URL(url.reveal())
  const { hostname, protocol, host, username, password } = proxy
  const isSecure = protocol === 'https:'
  const peer = { host: removeBrackets(hostname), port: Number(proxy.port || (isSecure ? 443 : 80)) }
  const destination = createProxyDestination(proxy)
  const authorization =
    username &&
    `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`

  async function openTunnel(target: string, signal: AbortSignal): Promise<Socket> {
    const plain = await connect(peer, signal)
    try {
      const to = { protocol, hostname: peer.host, host, port: String(peer.port) }
      const socket = isSecure ? await handshake(plain, to, signal) : plain
      const status = await untilAborted(requestTunnel(socket, target, authorization), signal)
      if (status === 200) return socket
      throw new BrokerError(
        'entra_unreachable',
        `${destination.name} answered ${status} instead of connecting to ${target}`,
        'check HTTPS_PROXY, its user and password, and whether the proxy allows the login host',
      )
    } catch (error) {
      // Destroying a socket may emit an error, which ends the process if nothing listens.
      plain.on('error', () => {}).destroy()
      throw error
    }
  }

  return async (to, signal) => {
    if (isDirect(to)) return connect(to, signal)
    return openTunnel(`${formatUrlHost(to.host)}:${to.port}`, signal).catch((error: unknown) => {
      throw error instanceof BrokerError ? error : toTransportError(error, destination)
    })
  }
}

/** Sends CONNECT, and returns the status of the answer. */
function requestTunnel(
  socket: Socket,
  target: string,
  authorization: string,
): Promise<number | undefined> {
  const headers = {
    Host: target,
    'Proxy-Connection': 'keep-alive',
    ...(authorization !== '' && { 'Proxy-Authorization': authorization }),
  }
  return new Promise((resolve, reject) => {
    const sent = request({
      method: 'CONNECT',
      path: target,
      headers,
      createConnection: () => socket,
    })
    sent.removeHeader('Connection')
    sent.on('error', reject).on('connect', ({ statusCode }) => resolve(statusCode))
    sent.end()
  })
}

/** Creates a test for hosts of the list: names, with all names below them, addresses and `*`. Each may have a port. */
function parseNoProxy(list: string): (to: Peer) => boolean {
  const entries = list
    .toLowerCase()
    .split(/[,\s]+/)
    .filter((entry) => entry !== '')
    .map((entry) => {
      // A bare IPv6 address has no port.
      const [, host = entry, port] = /^(\[.+\]|[^:]+)(?::(\d+))?$/.exec(entry) ?? []
      const suffix = removeBrackets(host).replace(/^\*?\.|\.$/g, '')
      return { suffix, isBelowOnly: host.startsWith('*.'), port: port && Number(port) }
    })
  return ({ host, port }) => {
    const name = host.toLowerCase().replace(/\.$/, '')
    return entries.some(
      (entry) =>
        (entry.port === undefined || entry.port === port) &&
        (entry.suffix === '*' ||
          (name === entry.suffix && !entry.isBelowOnly) ||
          name.endsWith(`.${entry.suffix}`)),
    )
  }
}
