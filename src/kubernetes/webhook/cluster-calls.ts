/** How calls of the API server are limited, and its watches made; with cluster.ts, what knows the client. */
import {
  type ConfigurationOptions,
  HttpMethod,
  type KubeConfig,
  Observable,
  type ObservableMiddleware,
  RequestContext,
} from '@kubernetes/client-node'
import { fetch } from 'undici'
import { linesOf } from '../injector/lines.ts'

/** The API server ends a watch after this long, with a bookmark before; a longer one is dead. */
const WATCH_SECONDS = 30
const WATCH_GRACE_MS = 10_000

/** Makes a call of the client fail after so many milliseconds, or at the end. */
export function limitedTo(ms: number, ending: AbortSignal): ConfigurationOptions {
  const limit: ObservableMiddleware = {
    pre(request) {
      request.setSignal(within(ms, ending))
      return new Observable(Promise.resolve(request))
    },
    post: (response) => new Observable(Promise.resolve(response)),
  }
  return { middleware: [limit], middlewareMergeStrategy: 'append' }
}

/**
 * The lines of a watch of all ServiceAccounts from that version on; why not by the client's own watch is in
 * docs/decisions/0012.
 */
export async function* watchServiceAccounts(
  config: KubeConfig,
  resourceVersion: string,
  ending: AbortSignal,
): AsyncGenerator<string> {
  const url = new URL(`${config.getCurrentCluster()?.server}/api/v1/serviceaccounts`)
  url.search = new URLSearchParams({
    watch: 'true',
    allowWatchBookmarks: 'true',
    timeoutSeconds: `${WATCH_SECONDS}`,
    resourceVersion,
  }).toString()
  const request = new RequestContext(url.href, HttpMethod.GET)
  await config.applySecurityAuthentication(request)
  const dispatcher = request.getDispatcher()
  const { status, body } = await fetch(url, {
    headers: request.getHeaders(),
    redirect: 'error',
    signal: within(WATCH_SECONDS * 1000 + WATCH_GRACE_MS, ending),
    ...(dispatcher && { dispatcher }),
  })
  if (status !== 200 || body === null) {
    await body?.cancel()
    throw new Error(`the API server answered ${status} to a watch`)
  }
  // A line that is cut off comes again with the next watch.
  yield* linesOf(body)
}

const within = (ms: number, ending: AbortSignal) =>
  AbortSignal.any([ending, AbortSignal.timeout(ms)])
