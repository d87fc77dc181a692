/** Gives simulated servers their origins: a port each, or names that only exist in memory. */
import type { IssuedCertificate } from '../../lib/x509.ts'
import type { Server } from './handler.ts'
import { byOrigin } from './fetch-text.ts'
import { serve } from './serve.ts'

/** The address of one server; by default any free port of 127.0.0.1. */
export interface Listen {
  readonly host?: string
  readonly port?: number
}

export interface Site {
  readonly url: string
  /** Puts the server there. Until then, requests are answered with 503. */
  mount(server: Server): void
}

interface SiteOptions extends Listen {
  readonly tls: IssuedCertificate
  /** The name in the URL, when it is not the address itself. */
  readonly publicName?: string | undefined
}

export interface Sites {
  /**
   * Takes an origin. A server's URL is part of what it says, so the origin comes before the server.
   */
  open(name: string, options: SiteOptions): Promise<Site>
  /** Reaches all sites without their ports. */
  readonly inMemory: Server
  close(): Promise<void>
}

/** With ports, or with origins such as `https://entra.test` that only `inMemory` knows. */
export function createSites(ports: boolean): Sites {
  const servers = new Map<string, Server>()
  const closers: (() => Promise<void>)[] = []
  return {
    async open(name, { publicName, ...options }) {
      let mounted = notMounted
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
    inMemory: byOrigin(servers),
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

const notMounted: Server = async () => new Response(null, { status: 503 })
