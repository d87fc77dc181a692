/** Starts the simulated servers on ports and gives each one an origin. */
import type { Dispatcher } from 'undici'
import { toLocalHost } from '../../../lib/hosts.ts'
import type { IssuedCertificate } from '../../../lib/x509.ts'
import { createLocalDispatcher, type LocalAddress } from './dispatcher.ts'
import type { Server } from './handler.ts'
import { serve } from './serve.ts'

/** The address of one server. Default: a free port of 127.0.0.1. */
export interface Listen {
  readonly host?: string
  readonly port?: number
}

/** An origin that exists before its server does, because servers name each other's URLs. */
interface Origin {
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
  /** Reaches all origins by their URLs. */
  readonly dispatcher: Dispatcher
  close(): Promise<void>
}

/** Creates origins with ports, or with names such as `https://entra.test` for `dispatcher` only. */
export function createOrigins(ports: boolean): Origins {
  const addresses = new Map<string, LocalAddress>()
  const dispatcher = createLocalDispatcher(addresses)
  const closers = [() => dispatcher.destroy()]
  return {
    dispatcher,
    async open(name, { publicName, ...options }) {
      let mounted = answerUnavailable
      const running = await serve((request) => mounted(request), options)
      closers.push(() => running.close())
      const host = publicName === undefined ? running.url : `https://${publicName}:${running.port}`
      const url = ports ? host : `https://${name}.test`
      const local = toLocalHost(options.host ?? '127.0.0.1')
      addresses.set(new URL(url).host, { host: local, port: running.port })
      return {
        url,
        mount: (server) => {
          mounted = server
        },
      }
    },
    async close() {
      await Promise.all(closers.splice(0).map((close) => close()))
    },
  }
}

const answerUnavailable: Server = async () => new Response(null, { status: 503 })
