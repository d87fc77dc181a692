/** GET requests of the simulated servers to each other and to external issuers. */
import { Agent, type Dispatcher, fetch } from 'undici'

/** Fetches a document as text. Rejects when the server cannot be reached or redirects. */
export type FetchText = (url: string) => Promise<{ readonly status: number; readonly text: string }>

interface NetworkOptions {
  /** Trusted instead of Node's default roots. */
  readonly caPem?: string | undefined
  /** Read before each request and sent as bearer token, for an API server that requires one. */
  readonly bearerToken?: (() => Promise<string>) | undefined
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
    connect: {
      // An API server ends an HTTP/2 connection after an anonymous request (CVE-2023-44487), and undici fails
      // the other requests on it.
      allowH2: false,
      ...(caPem !== undefined && { ca: caPem }),
    },
  })
  return { fetchText: createFetchText(agent, bearerToken), close: () => agent.destroy() }
}

/** Creates a {@link FetchText} with this dispatcher. */
export function createFetchText(
  dispatcher: Dispatcher,
  bearerToken?: () => Promise<string>,
): FetchText {
  return async (url) => {
    const response = await fetch(url, {
      dispatcher,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: bearerToken ? { authorization: `Bearer ${await bearerToken()}` } : {},
    })
    return { status: response.status, text: await response.text() }
  }
}
