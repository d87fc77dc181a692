/** Starts the simulated servers on ports and gives each one an origin. */
import { Agent, buildConnector } from 'undici'
import { formatUrlHost } from '../../../lib/hosts.ts'
import { toLocalHost } from '../../local-host.ts'
import type { Handler } from './handler.ts'
import { serve, type ServeOptions } from './serve.ts'

interface OriginOptions extends ServeOptions {
  /** Host name in the URL. Default: the address. */
  readonly publicName?: string | undefined
}

export type Origins = ReturnType<typeof createOrigins>

/** Creates an empty list of origins. `close` closes all opened origins. */
export function createOrigins() {
  /** The local address of each origin, by host and port of its URL. */
  const addresses = new Map<string, string>()
  const dispatcher = createLocalDispatcher(addresses)
  const closers = [() => dispatcher.destroy()]
  return {
    /** Reaches all origins by their URLs. */
    dispatcher,
    /** Opens an origin before its server exists, because servers name each other's URLs. Until then it answers 503. */
    async open({ publicName, ...options }: OriginOptions) {
      let mounted = answerUnavailable
      const running = await serve((request) => mounted(request), options)
      closers.push(() => running[Symbol.asyncDispose]())
      const local = toLocalHost(options.host ?? '127.0.0.1')
      const url = `https://${formatUrlHost(publicName ?? local)}:${running.port}`
      addresses.set(new URL(url).host, local)
      return {
        url,
        mount: (handler: Handler) => {
          mounted = handler
        },
      }
    },
    async close() {
      await Promise.all(closers.splice(0).map((close) => close()))
    },
  }
}

/**
 * Creates a dispatcher that connects each host to its local address. It uses no DNS and refuses other
 * hosts. It accepts any certificate: it connects to this machine only.
 */
function createLocalDispatcher(addresses: ReadonlyMap<string, string>): Agent {
  const connect = buildConnector({ rejectUnauthorized: false })
  return new Agent({
    connect(options, callback) {
      const { host = '' } = options
      const hostname = addresses.get(host)
      if (hostname === undefined) callback(new Error(`nothing listens at ${host}`), null)
      else connect({ ...options, hostname }, callback)
    },
  })
}

const answerUnavailable: Handler = async () => new Response(null, { status: 503 })
