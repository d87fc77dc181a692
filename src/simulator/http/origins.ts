/** Gives each simulated server an origin: a port, or a name that only exists in memory. */
import type { IssuedCertificate } from '../../lib/x509.ts'
import type { Server } from './handler.ts'
import { serve } from './serve.ts'

/** The address of one server. Default: a free port of 127.0.0.1. */
export interface Listen {
  readonly host?: string
  readonly port?: number
}

/** An origin that is reserved before its server exists, because servers name each other's URLs. */
export interface Origin {
  readonly url: string
  /** Sets the server. Requests before that are answered with 503. */
  mount(server: Server): void
}

interface OriginOptions extends Listen {
  readonly tls: IssuedCertificate
  /** Host name in the URL. Default: the address. */
  readonly publicName?: string | undefined
}

export interface Origins {
  open(name: string, options: OriginOptions): Promise<Origin>
  /** Routes a request to the server of its origin, without a port. */
  readonly inMemory: Server
  close(): Promise<void>
}

/** Creates origins with ports, or origins such as `https://entra.test` that only `inMemory` reaches. */
export function createOrigins(ports: boolean): Origins {
  const servers = new Map<string, Server>()
  const closers: (() => Promise<void>)[] = []
  return {
    async open(name, { publicName, ...options }) {
      let mounted = answerUnavailable
      const server: Server = (request) => mounted(request)
      const url = ports ? await listen(server, publicName, options) : `https://${name}.test`
      servers.set(url, server)
      return {
        url,
        mount: (next) => {
          mounted = next
        },
      }
    },
    inMemory: routeByOrigin(servers),
    async close() {
      await Promise.all(closers.splice(0).map((close) => close()))
    },
  }

  async function listen(
    server: Server,
    publicName: string | undefined,
    options: Listen & { readonly tls: IssuedCertificate },
  ): Promise<string> {
    const running = await serve(server, options)
    closers.push(() => running.close())
    return publicName === undefined ? running.url : `https://${publicName}:${running.port}`
  }
}

const answerUnavailable: Server = async () => new Response(null, { status: 503 })

/** Combines servers into one that routes by origin. An unknown origin rejects, like a refused connection. */
export function routeByOrigin(servers: ReadonlyMap<string, Server>): Server {
  return async (request) => {
    const { origin } = new URL(request.url)
    const server = servers.get(origin)
    if (!server) throw new Error(`nothing listens at ${origin}`)
    return server(request)
  }
}
