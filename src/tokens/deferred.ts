/** A token source that is loaded when it is first asked, or a little after the start. */
import type { TokenSource } from './token.ts'

/**
 * Loads the source on the first request, after `latestMs` at the latest: loading keeps everything else
 * waiting, the first probes too. A load that failed fails every request.
 */
export function deferred(load: () => Promise<TokenSource>, latestMs: number): TokenSource {
  let source: Promise<TokenSource> | undefined

  function loaded(): Promise<TokenSource> {
    clearTimeout(timer)
    source ??= load()
    return source
  }

  // A rejection belongs to the requests that meet it.
  const timer = setTimeout(() => void loaded().catch(() => {}), latestMs)
  timer.unref()
  return async (request, signal) => (await loaded())(request, signal)
}
