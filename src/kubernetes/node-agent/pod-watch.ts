/** Watches the pods of one node: lists them, follows the changes, and lists again when it has missed some. */
import * as z from 'zod/mini'
import { backoffMs, createPause } from '../../lib/backoff.ts'
import { parseJson } from '../../lib/json.ts'
import { type ApiServer, hasStatus, StatusError } from '../api-client.ts'

interface PodWatchOptions {
  readonly api: ApiServer
  readonly nodeName: string
  readonly signal: AbortSignal
  /** The watch ends after so long without a byte. */
  readonly idleMs?: number
  /** Called with each pod of the node, as the API server sends it, when it is listed or has changed. */
  readonly onPod: (uid: string, pod: unknown) => void
  readonly onDeleted: (uid: string) => void
  /** Called after each complete list, with the uids of all pods. */
  readonly onListed: (uids: ReadonlySet<string>) => void
  readonly onError: (error: unknown) => void
}

/** Pods per page: one pod has tens of kilobytes at most, as a rule. */
const PAGE_SIZE = 50
const MAX_PAGE_BYTES = 64 * 1024 * 1024
const MAX_EVENT_BYTES = 4 * 1024 * 1024
const LIST_TIMEOUT_MS = 30_000
/** The API server ends the watch after this many seconds. */
const WATCH_SECONDS = 600
/**
 * An API server sends a bookmark about every minute, so a connection that is silent for longer is dead. A server without
 * bookmarks is only watched again more often.
 */
const IDLE_MS = 3 * 60_000

const PodList = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.nullish(z.string()) }),
  items: z.array(z.looseObject({ metadata: z.looseObject({ uid: z.string() }) })),
})
const WatchEvent = z.object({
  type: z.string(),
  /** A pod or, of an ERROR, a Status with a code. */
  object: z.looseObject({ code: z.optional(z.number()) }),
})
/** Of a pod or, without a uid, of a bookmark. */
const Metadata = z.object({ uid: z.optional(z.string()), resourceVersion: z.optional(z.string()) })

/** Lists whatever the API server has in its cache. */
const ANY_VERSION = '0'
/** Lists what etcd has. */
const LATEST_VERSION = ''

/**
 * Watches until the signal. A watch that ends is continued from its last version, so the pods are listed only at the
 * start and after a failure, and then not older than that version. Failures of the API server are reported and retried
 * with backoff. The latest version is listed only if the API server repeatedly does not have that of the watch (410, or
 * 504 if it is behind): otherwise the agents of all nodes would read etcd at once after each restart of the API server.
 */
export async function watchPods(options: PodWatchOptions): Promise<void> {
  const { signal, onError } = options
  const pause = createPause(signal)
  let failures = 0
  let isListed = false
  let version = ANY_VERSION
  const onVersion = (latest: string) => {
    version = latest
    failures = 0
  }
  while (!signal.aborted) {
    try {
      if (!isListed) version = await listPods(options, version)
      isListed = true
      await followPods(options, version, onVersion)
      failures = 0
      // An API server may end every watch at once, and all watches at the same moment.
      await pause(backoffMs(1))
    } catch (error) {
      if (signal.aborted) return
      isListed = false
      failures += 1
      const isRepeated = failures > 1
      // A single 410 is normal, such as after a restart of the API server.
      if (isRepeated || !hasStatus(error, 410)) onError(error)
      if (isRepeated && hasStatus(error, 410, 504)) version = LATEST_VERSION
      await pause(backoffMs(failures))
    }
  }
}

/**
 * Reports every pod and returns the resource version of the list, which is not older than the given one. The cache of
 * the API server has the pods by node: etcd would read all pods of the cluster.
 */
async function listPods(
  { api, nodeName, onPod, onListed }: PodWatchOptions,
  oldest: string,
): Promise<string> {
  const uids = new Set<string>()
  let page: string | undefined
  for (;;) {
    const call = {
      action: `list the pods of the node ${nodeName}`,
      path: createPath(nodeName, createListParameters(oldest, page)),
      timeoutMs: LIST_TIMEOUT_MS,
      maxBytes: MAX_PAGE_BYTES,
    }
    const { items, metadata } = await api.call(call, PodList)
    for (const pod of items) {
      uids.add(pod.metadata.uid)
      onPod(pod.metadata.uid, pod)
    }
    page = metadata.continue || undefined
    if (page === undefined) {
      onListed(uids)
      return metadata.resourceVersion
    }
  }
}

/** With a limit, a list that is not older than a version would be read from etcd. */
function createListParameters(oldest: string, page: string | undefined) {
  const limit = `${PAGE_SIZE}`
  if (page !== undefined) return { limit, continue: page }
  return oldest === LATEST_VERSION
    ? { limit }
    : { resourceVersion: oldest, resourceVersionMatch: 'NotOlderThan' }
}

/** Follows the changes since that version, and reports each later one, until the API server ends the watch or is silent. */
async function followPods(
  options: PodWatchOptions,
  resourceVersion: string,
  onVersion: (version: string) => void,
): Promise<void> {
  const { api, nodeName, idleMs = IDLE_MS, onPod, onDeleted } = options
  const call = {
    action: `watch the pods of the node ${nodeName}`,
    path: createPath(nodeName, {
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion,
      timeoutSeconds: `${WATCH_SECONDS}`,
    }),
    timeoutMs: (WATCH_SECONDS + 10) * 1000,
    idleMs,
  }
  await api.stream(call, async (body) => {
    for await (const line of splitLines(body)) {
      const { data: event } = WatchEvent.safeParse(parseJson(line))
      if (event === undefined) throw new Error('the API server sent what is not an event')
      // The version is too old, as a rule (410).
      if (event.type === 'ERROR') throw new StatusError(event.object.code ?? 500)
      const { uid, resourceVersion: latest } =
        Metadata.safeParse(event.object['metadata']).data ?? {}
      if (latest !== undefined) onVersion(latest)
      // A bookmark has none.
      if (uid === undefined) continue
      if (event.type === 'DELETED') onDeleted(uid)
      else onPod(uid, event.object)
    }
  })
}

function createPath(nodeName: string, parameters: Readonly<Record<string, string>>): string {
  const query = new URLSearchParams({ fieldSelector: `spec.nodeName=${nodeName}`, ...parameters })
  return `/api/v1/pods?${query.toString()}`
}

/** Splits the stream of a watch into its events. */
async function* splitLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > MAX_EVENT_BYTES) throw new Error('an event of the watch is too large')
    yield* lines.filter((line) => line !== '')
  }
}
