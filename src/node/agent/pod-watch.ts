/** Watches the pods of one node: lists them, follows the changes, and lists again when it has missed some. */
import { backoffMs, createPause } from '../../lib/retry.ts'
import { type ApiServer, hasStatus, isSilence, StatusError } from '../../kubernetes/api-client.ts'
import { type Item, readItems } from './pod-stream.ts'
import type { PodName } from './routed-pod.ts'

interface PodWatchOptions {
  readonly api: ApiServer
  readonly nodeName: string
  readonly signal: AbortSignal
  /** The watch ends after this long without a byte. */
  readonly idleMs?: number
  /** Called with each pod of the node that may have a gate, as the API server sends it, when it is listed or has changed. */
  readonly onPod: (uid: string, pod: unknown) => void
  readonly onDeleted: (uid: string) => void
  /** Called in place of `onPod` with a pod that is too large to parse. A pod that is served already stays served. */
  readonly onTooLarge: (pod: PodName) => void
  /** Called after each complete list, with the uids of all pods. */
  readonly onListed: (uids: ReadonlySet<string>) => void
  readonly onError: (error: unknown) => void
}

/** The time limit of a list. With hundreds of the largest pods it takes many seconds on a busy node. */
const LIST_TIMEOUT_MS = 5 * 60_000
const LIST_IDLE_MS = 30_000
/** The API server ends the watch after this many seconds. */
const WATCH_SECONDS = 600
/**
 * An API server sends a bookmark about every minute, so a connection that is silent for longer is dead. If a server sends no
 * bookmarks, the watch only starts again more often.
 */
const IDLE_MS = 3 * 60_000

/** Lists whatever the API server has in its cache. */
const ANY_VERSION = '0'
/** Lists what etcd has. */
const LATEST_VERSION = ''

/**
 * Watches until the signal aborts. Continues an ended watch from its last version, so it lists the pods only at the start and
 * after a failure. It accepts no list that is older than the last version. Reports failures of the API server and retries with
 * backoff. Lists the latest version only if the API server repeatedly lacks the version of the watch (410, or 504 if it is
 * behind): otherwise the agents of all nodes would read etcd at once after each restart of the API server.
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
      if (!isListed) {
        const list = await listPods(options, version)
        version = list.version
        options.onListed(list.uids)
      }
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

type ListOptions = Pick<PodWatchOptions, 'api' | 'onPod'> &
  Partial<Pick<PodWatchOptions, 'nodeName' | 'onTooLarge'>>

/**
 * Reports every pod of the node; without `nodeName`, of the cluster. Returns the uids, and the resource version of the list,
 * which is not older than `oldest`. Asks for no pages: for a `limit` Kubernetes reads all pods of the cluster from etcd, but
 * its cache has the pods of a node.
 */
export async function listPods(
  options: ListOptions,
  oldest = ANY_VERSION,
): Promise<{ readonly version: string; readonly uids: ReadonlySet<string> }> {
  const { api, nodeName } = options
  const uids = new Set<string>()
  const call = {
    action: `list the pods of ${nodeName === undefined ? 'the cluster' : `the node ${nodeName}`}`,
    path: createPath(nodeName, createListParameters(oldest)),
    timeoutMs: LIST_TIMEOUT_MS,
    idleMs: LIST_IDLE_MS,
  }
  const version = await api.stream(call, async (body) => {
    let latest: string | undefined
    // The list is an object that has the objects of its pods and of its metadata.
    for await (const item of readItems(body, 1)) {
      if (item.uid === undefined) latest = item.version
      else {
        uids.add(item.uid)
        reportPod(item, options)
      }
    }
    if (latest === undefined) throw new Error('the answer is not a list of pods')
    return latest
  })
  return { version, uids }
}

function createListParameters(oldest: string): Readonly<Record<string, string>> {
  if (oldest === LATEST_VERSION) return {}
  return { resourceVersion: oldest, resourceVersionMatch: 'NotOlderThan' }
}

/** Reports the changes since that version, and each later version, until the API server ends the watch or is silent. */
async function followPods(
  options: PodWatchOptions,
  resourceVersion: string,
  onVersion: (version: string) => void,
): Promise<void> {
  const { api, nodeName, idleMs = IDLE_MS, onDeleted } = options
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
  const follow = async (body: AsyncIterable<Uint8Array>) => {
    for await (const item of readItems(body, 0)) {
      const { type, code = 500, uid, version } = item
      if (type === undefined) throw new Error('the API server sent a line that is not an event')
      // Normally 410: the version is too old.
      if (type === 'ERROR') throw new StatusError(code)
      if (version !== undefined) onVersion(version)
      // A bookmark has no uid.
      if (uid === undefined) continue
      if (type === 'DELETED') onDeleted(uid)
      else reportPod(item, options)
    }
  }
  await api.stream(call, follow).catch((error: unknown) => {
    if (!isSilence(error)) throw error
  })
}

function createPath(
  nodeName: string | undefined,
  parameters: Readonly<Record<string, string>>,
): string {
  const query = new URLSearchParams({
    ...(nodeName !== undefined && { fieldSelector: `spec.nodeName=${nodeName}` }),
    ...parameters,
  })
  return `/api/v1/pods?${query.toString()}`
}

/** Reports a pod that may have a gate. */
function reportPod({ uid = '', object, tooLarge }: Item, { onPod, onTooLarge }: ListOptions): void {
  if (tooLarge) onTooLarge?.(tooLarge)
  if (object !== undefined) onPod(uid, object)
}
