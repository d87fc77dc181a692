/** GET requests of the simulated servers to each other and to external issuers. */
import { Agent, type Dispatcher, fetch } from 'undici'

/** Fetches a document as text. Rejects when the server cannot be reached or redirects. */
export type FetchText = (url: string) => Promise<{ readonly status: number; readonly text: string }>

const TIMEOUT_MS = 5_000
const MAX_RESPONSE_BYTES = 1_048_576

/**
 * Creates a {@link FetchText} over the network: no redirects, at most 5 s and 1 MiB. `caPem` is trusted instead of
 * Node's default roots.
 */
export function createNetworkFetch(caPem: string | undefined): {
  readonly fetchText: FetchText
  readonly close: () => Promise<void>
} {
  const agent = new Agent({
    maxResponseSize: MAX_RESPONSE_BYTES,
    connect: {
      // An API server ends an HTTP/2 connection after an anonymous request (CVE-2023-44487), and undici fails
      // the other requests on it.
      allowH2: false,
      ...(caPem !== undefined && { ca: caPem }),
    },
  })
  return { fetchText: createFetchText(agent), close: () => agent.destroy() }
}

/** Creates a {@link FetchText} with this dispatcher. */
export function createFetchText(dispatcher: Dispatcher): FetchText {
  return async (url) => {
    const response = await fetch(url, {
      dispatcher,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    return { status: response.status, text: await response.text() }
  }
}
