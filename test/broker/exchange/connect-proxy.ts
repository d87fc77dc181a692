/** A forward proxy for tests: tunnels (CONNECT) to the configured ports and records each request. */
import { createServer, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { listening } from '../../fixtures/listening.ts'

export interface ConnectProxy extends AsyncDisposable {
  readonly port: number
  /** `host:port` of each CONNECT request with the right credentials. */
  readonly tunnels: readonly string[]
}

interface ProxyOptions {
  /** Ports on 127.0.0.1 by the `host:port` of the CONNECT request. */
  readonly routes: Readonly<Record<string, number>>
  /** The `user:password` that a client must send. */
  readonly credentials?: string
  /** Called for each CONNECT request: true leaves it unanswered. */
  readonly isSilent?: () => boolean
}

export async function connectProxy(options: ProxyOptions): Promise<ConnectProxy> {
  const { routes, credentials, isSilent = () => false } = options
  const tunnels: string[] = []
  const upstreams = new Set<Socket>()
  const server = createServer()
  server.on('connect', ({ url = '', headers }: IncomingMessage, client: Duplex) => {
    const basic = Buffer.from(credentials ?? '').toString('base64')
    if (credentials !== undefined && headers['proxy-authorization'] !== `Basic ${basic}`) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n')
      return
    }
    tunnels.push(url)
    if (isSilent()) return
    const upstream = connect(routes[url] ?? 0, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      upstream.pipe(client).pipe(upstream)
    })
    upstreams.add(upstream)
    upstream.on('error', () => client.destroy())
    client.on('error', () => upstream.destroy())
  })
  const { port: ownPort, [Symbol.asyncDispose]: stop } = await listening(server)
  return {
    port: ownPort,
    tunnels,
    [Symbol.asyncDispose]: () => {
      for (const upstream of upstreams) upstream.destroy()
      return stop()
    },
  }
}
