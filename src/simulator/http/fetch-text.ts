/** How simulated servers reach others: over TLS with a given CA, or in memory. */
import { Agent, fetch } from 'undici'
import { isSocketFault, type Server } from './handler.ts'
import type { FetchText } from '../entra/issuer-keys.ts'

interface OutboundOptions {
  /** Trusted in place of Node's default roots. */
  readonly caPem?: string
  /** Sent to the issuer, as an API server may want it for its discovery document. */
  readonly bearerToken?: () => Promise<string>
  readonly timeoutMs?: number
}

export interface Outbound {
  readonly fetchText: FetchText
  close(): Promise<void>
}

/** A {@link FetchText} over the network: no redirects, a time limit, at most 1 MiB. */
export function outboundFetch({
  caPem,
  bearerToken,
  timeoutMs = 5_000,
}: OutboundOptions = {}): Outbound {
  const agent = new Agent({
    maxResponseSize: 1_048_576,
    ...(caPem === undefined ? {} : { connect: { ca: caPem } }),
  })
  return {
    async fetchText(url) {
      const response = await fetch(url, {
        dispatcher: agent,
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
        headers: bearerToken ? { authorization: `Bearer ${await bearerToken()}` } : {},
      })
      return { status: response.status, text: await response.text() }
    },
    close: () => agent.destroy(),
  }
}

/** A {@link FetchText} that calls servers directly. A socket fault fails the call at once. */
export function inMemoryFetch(server: Server): FetchText {
  return async (url) => {
    const reply = await server(new Request(url))
    if (isSocketFault(reply)) throw new Error(`simulated ${reply.socket}`)
    return { status: reply.status, text: await reply.text() }
  }
}

/** One server out of several by origin; an origin that nobody has cannot be reached. */
export function byOrigin(servers: ReadonlyMap<string, Server>): Server {
  return async (request) => {
    const { origin } = new URL(request.url)
    const server = servers.get(origin)
    if (!server) throw new Error(`nothing listens at ${origin}`)
    return server(request)
  }
}
