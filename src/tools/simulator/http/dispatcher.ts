/** An undici dispatcher that connects to simulated servers only. */
import { Agent, buildConnector } from 'undici'

/** Address of a server on this machine. */
export interface LocalAddress {
  readonly host: string
  readonly port: number
}

/**
 * Creates a dispatcher that connects each host, such as `entra.test`, to its local address. It uses no
 * DNS and refuses other hosts. It accepts any certificate: it connects to this machine only.
 */
export function createLocalDispatcher(addresses: ReadonlyMap<string, LocalAddress>): Agent {
  const connect = buildConnector({ rejectUnauthorized: false })
  return new Agent({
    connect(options, callback) {
      const { host = '' } = options
      const address = addresses.get(host)
      if (address === undefined) callback(new Error(`nothing listens at ${host}`), null)
      else connect({ ...options, hostname: address.host, port: String(address.port) }, callback)
    },
  })
}
