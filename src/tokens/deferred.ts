/** A token source that is still being loaded when the first request for it comes. */
import type { TokenSource } from './token.ts'

/** Waits for `source` on each request; a load that failed fails every one of them. */
export function deferred(source: Promise<TokenSource>): TokenSource {
  // The rejection belongs to the requests that meet it.
  source.catch(() => {})
  return async (request, signal) => (await source)(request, signal)
}
