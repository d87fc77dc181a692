/** GET requests of the simulated servers to each other and to external issuers. */
import { Agent, fetch } from 'undici'
import { isSocketFault, type Server } from './handler.ts'

/** Fetches a document as text. Rejects when the server cannot be reached or redirects. */
export type FetchText = (url: string) => Promise<{ readonly status: number; readonly text: string }>

interface NetworkOptions {
  /** Trusted instead of Node's default roots. */
  readonly caPem?: string
  /** Read before each request and sent as bearer token, for an API server that requires one. */
  readonly bearerToken?: () => Promise<string>
}

const TIMEOUT_MS = 5_000
const MAX_RESPONSE_BYTES = 1_048_576

/** Creates a {@link FetchText} over the network: no redirects, at most 5 s and 1 MiB. */
export function createNetworkFetch({ caPem, bearerToken }: NetworkOptions): {
  readonly fetchText: FetchText
  readonly close: () => Promise<void>
} {
  const agent = new Agent({
    maxResponseSize: MAX_RESPONSE_BYTES,
    ...(caPem === undefined ? {} : { connect: { ca: caPem } }),
  })
  return {
    async fetchText(url) {
      const response = await fetch(url, {
        dispatcher: agent,
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
        headers: bearerToken ? { authorization: `Bearer ${await bearerToken()}` } : {},
      })
      return { status: response.status, text: await response.text() }
    },
    close: () => agent.destroy(),
  }
}

/** Creates a {@link FetchText} that calls a server in this process. Rejects on a socket fault. */
export function createInMemoryFetch(server: Server): FetchText {
  return async (url) => {
    const reply = await server(new Request(url))
    if (isSocketFault(reply)) throw new Error(`simulated ${reply.socket}`)
    return { status: reply.status, text: await reply.text() }
  }
}
