/** Finds each pod's network namespace from files that pods cannot write. */
import { readdirSync, readFileSync, statfsSync, watch } from 'node:fs'
import { basename, join } from 'node:path'
import * as z from 'zod/mini'
import { errorCode } from '../../lib/describe-error.ts'
import { parseJson } from '../../lib/json.ts'
import type { NodeAgentOptions } from './agent-options.ts'

/** The directories of the container runtime on the node. */
export type RuntimeDirectories = Pick<
  NodeAgentOptions,
  'cniResultsDirectory' | 'bundlesDirectory' | 'netnsDirectory'
>

/**
 * Returns the paths of network namespaces by pod UID, read at most `maxAgeMs` ago; by default they are read now. A pod
 * normally has one.
 */
export type ReadSandboxes = (maxAgeMs?: number) => Sandboxes
export type Sandboxes = ReadonlyMap<string, readonly string[]>

/**
 * Creates the function. It reads synchronously: a node has about a hundred sandboxes, and an asynchronous call costs several
 * times as much as the read.
 */
export function createSandboxReader(directories: RuntimeDirectories): ReadSandboxes {
  let snapshot: { readonly sandboxes: Sandboxes; readonly readAt: number } | undefined
  return (maxAgeMs = 0) => {
    const now = performance.now()
    if (snapshot !== undefined && now - snapshot.readAt < maxAgeMs) return snapshot.sandboxes
    const sandboxes = readSandboxes(directories)
    snapshot = { sandboxes, readAt: now }
    return sandboxes
  }
}

/**
 * The delay after a notice. The runtime finishes its file in this time, and many pods that start at once need one call only.
 */
const COALESCE_MS = 5

/**
 * Calls `onChange` when the runtime has set up or removed sandboxes, until the signal aborts. The kernel may drop a notice, so
 * pods also poll for their sandboxes. Throws an error if a directory does not exist.
 */
export function watchSandboxes(
  { cniResultsDirectory, bundlesDirectory }: RuntimeDirectories,
  { onChange, signal }: { readonly onChange: () => void; readonly signal: AbortSignal },
): void {
  let timer: NodeJS.Timeout | undefined
  const onNotice = () => {
    timer ??= setTimeout(() => {
      timer = undefined
      onChange()
    }, COALESCE_MS)
  }
  for (const directory of [cniResultsDirectory, bundlesDirectory]) {
    const watcher = watch(directory, { signal }, onNotice)
    // For example, the directory was deleted.
    watcher.on('error', () => watcher.close())
  }
}

/**
 * The file that the CNI library writes for a sandbox, and removes with it. The library writes `netns` since its version 1.2,
 * which containerd 2 has. Most plugins report the sandbox in their result, but azure-vnet does not. The UID of the pod is one
 * of `cniArgs`.
 */
const CniResult = z.object({
  kind: z.literal('cniCacheV1'),
  containerId: z.optional(z.string()),
  ifName: z.string(),
  cniArgs: z.array(z.tuple([z.string(), z.string()])),
  netns: z.optional(z.string()),
  result: z.optional(
    z.object({
      interfaces: z.optional(z.array(z.object({ sandbox: z.optional(z.string()) }))),
    }),
  ),
})
type CniResult = z.infer<typeof CniResult>

/**
 * Reads the results. Skips a file that is being written or has another version, a result from before a reboot, and the result
 * of the loopback plugin, which exists before the network does. Throws an error if a file cannot be read, since otherwise a
 * served pod would seem to have ended.
 */
function readSandboxes({
  cniResultsDirectory,
  bundlesDirectory,
  netnsDirectory,
}: RuntimeDirectories): Sandboxes {
  const sandboxes = new Map<string, readonly string[]>()
  const entries = ignoreEnded(() => readdirSync(cniResultsDirectory, { withFileTypes: true })) ?? []
  for (const { name } of entries.filter((entry) => entry.isFile())) {
    const { data } = CniResult.safeParse(readJson(join(cniResultsDirectory, name)))
    const uid = data?.cniArgs.find(([argument]) => argument === 'K8S_POD_UID')?.[1]
    if (data === undefined || uid === undefined || data.ifName === 'lo') continue
    const recorded = findRecorded(data)
    const paths = (recorded.length > 0 ? recorded : readBundle(bundlesDirectory, data, uid))
      .map((path) => join(netnsDirectory, basename(path)))
      .filter(isNamespace)
    // A pod with several networks has a result for each, with the same namespace.
    sandboxes.set(uid, [...new Set([...(sandboxes.get(uid) ?? []), ...paths])])
  }
  return sandboxes
}

function findRecorded({ netns, result }: CniResult): string[] {
  const reported = result?.interfaces?.map(({ sandbox }) => sandbox) ?? []
  return [netns, ...reported].flatMap((path) => (path ? [path] : []))
}

/** The configuration of a sandbox that containerd writes for runc. */
const Bundle = z.object({
  annotations: z.object({
    'io.kubernetes.cri.container-type': z.literal('sandbox'),
    'io.kubernetes.cri.sandbox-uid': z.string(),
  }),
  linux: z.object({
    namespaces: z.array(z.object({ type: z.string(), path: z.optional(z.string()) })),
  }),
})

/**
 * Returns the network namespace in the bundle of the sandbox; an empty list if there is no bundle yet, or if another pod owns
 * it. Annotations of a pod can reach its bundle, but containerd writes its own annotations after them. The bundles of other
 * containers are not read: they have the variables of the application.
 */
function readBundle(directory: string, { containerId }: CniResult, uid: string): string[] {
  if (containerId === undefined || !/^\w+$/.test(containerId)) return []
  const { data } = Bundle.safeParse(readJson(join(directory, containerId, 'config.json')))
  if (data?.annotations['io.kubernetes.cri.sandbox-uid'] !== uid) return []
  const network = data.linux.namespaces.filter(({ type }) => type === 'network')
  return network.flatMap(({ path }) => path ?? [])
}

const readJson = (path: string) => parseJson(ignoreEnded(() => readFileSync(path, 'utf8')) ?? '')

/** The type of the file system nsfs. A file of another type remains from a namespace that has ended. */
const NSFS = 0x6e_73_66_73
const isNamespace = (path: string) => ignoreEnded(() => statfsSync(path).type === NSFS) ?? false

/** Returns what `read` returns; undefined if the pod or the process has ended before. */
export function ignoreEnded<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EINVAL'].includes(errorCode(error) ?? '')) return undefined
    throw error
  }
}
