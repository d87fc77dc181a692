/** GET requests of the simulated servers to each other and to external issuers. */
import { Agent, type Dispatcher, fetch } from 'undici'
import { readWholeFile } from '../../../lib/files.ts'

/** Fetches a document as text. Rejects when the server cannot be reached or redirects. */
export type FetchText = (url: string) => Promise<{ readonly status: number; readonly text: string }>

const TIMEOUT_MS = 5_000
const MAX_RESPONSE_BYTES = 1_048_576

/** Creates a dispatcher for an external issuer, with this CA instead of Node's roots. Idle connections do not keep a process alive. */
export function createIssuerDispatcher(caPem: string | undefined): Dispatcher {
  return new Agent({
    maxResponseSize: MAX_RESPONSE_BYTES,
    connect: {
      // An API server ends an HTTP/2 connection after an anonymous request (CVE-2023-44487), and undici fails
      // the other requests on it.
      allowH2: false,
      ...(caPem !== undefined && { ca: caPem }),
    },
  })
}

/**
 * Creates a {@link FetchText} with this dispatcher: no redirects, at most 5 s. The file has the bearer token for an API
 * server that requires one, and is read before each request.
 */
export function createFetchText(dispatcher: Dispatcher, bearerTokenFile?: string): FetchText {
  return async (url) => {
    const response = await fetch(url, {
      dispatcher,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: bearerTokenFile
        ? { authorization: `Bearer ${(await readWholeFile(bearerTokenFile)).trim()}` }
        : {},
    })
    return { status: response.status, text: await response.text() }
  }
}
