/** Watches the pods of one node: lists them, follows the changes, and lists again when the watch breaks. */
import * as z from 'zod/mini'
import { backoffMs, createPause } from '../../lib/backoff.ts'
import { parseJson } from '../../lib/json.ts'
import type { ApiServer } from '../api-client.ts'

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
/** The API server ends the watch after this many seconds; then the pods are listed again. */
const WATCH_SECONDS = 600
/**
 * An API server sends a bookmark about every minute, so a connection that is silent for longer is dead. A server without
 * bookmarks only has to list the pods more often.
 */
const IDLE_MS = 3 * 60_000
/** An API server that ends every watch at once is not asked more often than this. */
const PAUSE_MS = 1000

const Metadata = z.looseObject({ uid: z.string(), resourceVersion: z.nullish(z.string()) })
const PodList = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.nullish(z.string()) }),
  items: z.array(z.looseObject({ metadata: Metadata })),
})
const WatchEvent = z.object({ type: z.string(), object: z.looseObject({}) })

/** Watches until the signal. Failures of the API server are reported and retried with backoff. */
export async function watchPods(options: PodWatchOptions): Promise<void> {
  const { signal, onError } = options
  const pause = createPause(signal)
  let failures = 0
  while (!signal.aborted) {
    try {
      const version = await listPods(options)
      failures = 0
      await followPods(options, version)
      await pause(PAUSE_MS)
    } catch (error) {
      if (signal.aborted) return
      failures += 1
      onError(error)
      await pause(backoffMs(failures))
    }
  }
}

/** Reports every pod and returns the resource version of the list. */
async function listPods({ api, nodeName, onPod, onListed }: PodWatchOptions): Promise<string> {
  const uids = new Set<string>()
  let page: string | undefined
  for (;;) {
    const call = {
      action: `list the pods of the node ${nodeName}`,
      path: createPath(nodeName, { limit: `${PAGE_SIZE}`, ...(page && { continue: page }) }),
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

/** Follows the changes since that version until the API server ends the watch, or is silent. */
async function followPods(options: PodWatchOptions, resourceVersion: string): Promise<void> {
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
      // The version is too old, as a rule (410): the pods are listed again.
      if (event.type === 'ERROR') return
      const uid = Metadata.safeParse(event.object['metadata']).data?.uid
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
