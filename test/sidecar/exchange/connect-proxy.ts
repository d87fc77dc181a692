/** A forward proxy for tests: tunnels (CONNECT) to the configured ports and records each request. */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { portOf } from '../../fixtures/listening.ts'

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
  const open = new Set<Duplex>()
  const server = createServer()
  server.on('connect', ({ url = '', headers }: IncomingMessage, client: Duplex) => {
    open.add(client)
    const basic = Buffer.from(credentials ?? '').toString('base64')
    if (credentials !== undefined && headers['proxy-authorization'] !== `Basic ${basic}`) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n')
      return
    }
    tunnels.push(url)
    if (isSilent()) return
    const port = routes[url]
    if (port === undefined) {
      client.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n')
      return
    }
    const upstream = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      upstream.pipe(client).pipe(upstream)
    })
    open.add(upstream)
    upstream.on('error', () => client.destroy())
    client.on('error', () => upstream.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: portOf(server),
    tunnels,
    async [Symbol.asyncDispose]() {
      for (const stream of open) stream.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
