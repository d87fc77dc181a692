/** Reads which sandbox, and so which network namespace, each pod of this node has, from what no pod can change. */
import { readdirSync, readFileSync, readlinkSync, statfsSync, watch } from 'node:fs'
import { basename, join } from 'node:path'
import * as z from 'zod/mini'
import { errorCode } from '../../lib/describe-error.ts'
import { parseJson } from '../../lib/json.ts'

/** The ways to find the network namespace of a pod: by the files of the container runtime, or by the pod's processes. */
export const DISCOVERIES = ['netns', 'processes'] as const

export interface DiscoveryOptions {
  readonly discovery: (typeof DISCOVERIES)[number]
  /** Where the CNI library of the container runtime caches its results: /var/lib/cni/results of the node. */
  readonly cniResultsDirectory: string
  /** Where the container runtime keeps the namespaces (containerd, CRI-O): /var/run/netns of the node. */
  readonly netnsDirectory: string
  /** /proc; with `processes` it shows the processes of the node (hostPID). */
  readonly procDirectory: string
}

/**
 * Returns the paths of network namespaces by the UID of the pod that has them, which were read at most `maxAgeMs` ago; by
 * default now. A pod normally has one.
 */
export type ReadSandboxes = (maxAgeMs?: number) => Sandboxes
export type Sandboxes = ReadonlyMap<string, readonly string[]>

/**
 * Creates the function. It reads synchronously: a node has a thousand processes, and each asynchronous call costs
 * several times the read.
 */
export function createSandboxReader(options: DiscoveryOptions): ReadSandboxes {
  const { discovery, cniResultsDirectory, netnsDirectory, procDirectory } = options
  let snapshot: { readonly sandboxes: Sandboxes; readonly readAt: number } | undefined
  return (maxAgeMs = 0) => {
    const now = performance.now()
    if (snapshot !== undefined && now - snapshot.readAt < maxAgeMs) return snapshot.sandboxes
    const sandboxes =
      discovery === 'netns'
        ? readCniResults(cniResultsDirectory, netnsDirectory)
        : readProcesses(procDirectory)
    snapshot = { sandboxes, readAt: now }
    return sandboxes
  }
}

/** The CNI library writes a file within this time, and the files of many pods that start at once come together. */
const COALESCE_MS = 5

/**
 * Calls `onChange` when the runtime has set up or removed sandboxes, until the signal. Processes cause no notice, and
 * the kernel may drop a notice, so pods that wait are looked for as well. Throws if the directory does not exist.
 */
export function watchSandboxes(
  { discovery, cniResultsDirectory }: Pick<DiscoveryOptions, 'discovery' | 'cniResultsDirectory'>,
  { onChange, signal }: { readonly onChange: () => void; readonly signal: AbortSignal },
): void {
  if (discovery !== 'netns') return
  let timer: NodeJS.Timeout | undefined
  const watcher = watch(cniResultsDirectory, { signal }, () => {
    timer ??= setTimeout(() => {
      timer = undefined
      onChange()
    }, COALESCE_MS)
  })
  // Such as a directory that is deleted.
  watcher.on('error', () => watcher.close())
}

/**
 * The file that the CNI library writes for a sandbox, and removes with it. `netns` exists since version 1.2 of
 * the library; most plugins report the sandbox in their result. The UID of the pod is an argument of the runtime.
 */
const CniResult = z.object({
  kind: z.literal('cniCacheV1'),
  ifName: z.string(),
  cniArgs: z.array(z.tuple([z.string(), z.string()])),
  netns: z.optional(z.string()),
  result: z.optional(
    z.object({
      interfaces: z.optional(z.array(z.object({ sandbox: z.optional(z.string()) }))),
    }),
  ),
})

/**
 * Reads the results. Skips a file that is being written or has another version, a result from before a reboot, and the
 * result of the loopback plugin, which exists before the network does. Throws if a file cannot be read: a pod that is
 * served would seem to have ended.
 */
function readCniResults(directory: string, netnsDirectory: string): Map<string, string[]> {
  const sandboxes = new Map<string, string[]>()
  const entries = ignoreEnded(() => readdirSync(directory, { withFileTypes: true })) ?? []
  for (const { name } of entries.filter((entry) => entry.isFile())) {
    const text = ignoreEnded(() => readFileSync(join(directory, name), 'utf8')) ?? ''
    const { data } = CniResult.safeParse(parseJson(text))
    const uid = data?.cniArgs.find(([argument]) => argument === 'K8S_POD_UID')?.[1]
    if (data === undefined || uid === undefined || data.ifName === 'lo') continue
    const reported = data.result?.interfaces?.map(({ sandbox }) => sandbox) ?? []
    const paths = [data.netns, ...reported]
      .filter((path) => path !== undefined && path !== '')
      .map((path) => join(netnsDirectory, basename(path ?? '')))
      .filter(isNamespace)
    // A pod with several networks has a result for each, with the same namespace.
    sandboxes.set(uid, [...new Set([...(sandboxes.get(uid) ?? []), ...paths])])
  }
  return sandboxes
}

/** The type of the file system nsfs: a file of another type is left of a namespace that has ended. */
const NSFS = 0x6e_73_66_73
const isNamespace = (path: string) => ignoreEnded(() => statfsSync(path).type === NSFS) ?? false

/**
 * Reads the first process of each pod outside the network of the node, where CRI-O's monitor and a process that runc is
 * starting are. It is the sandbox's own process, which the runtime starts before any container, or the first container's.
 * Later processes may have left the namespace of the pod.
 */
function readProcesses(procDirectory: string): Map<string, string[]> {
  const first = new Map<string, { startTime: number; path: string }>()
  const readNamespace = (process: string) =>
    ignoreEnded(() => readlinkSync(join(procDirectory, process, 'ns/net')))
  const node = readNamespace('1')
  for (const name of readdirSync(procDirectory)) {
    if (!/^\d+$/.test(name)) continue
    const directory = join(procDirectory, name)
    const read = (file: string) =>
      ignoreEnded(() => readFileSync(join(directory, file), 'utf8')) ?? ''
    const uid = findPodUid(read('cgroup'))
    if (uid === undefined) continue
    const startTime = parseStartTime(read('stat'))
    const { startTime: knownTime = Infinity } = first.get(uid) ?? {}
    if (!(startTime < knownTime) || readNamespace(name) === node) continue
    first.set(uid, { startTime, path: join(directory, 'ns/net') })
  }
  return new Map([...first].map(([uid, { path }]) => [uid, [path]]))
}

/** Returns field 22 of /proc/PID/stat; NaN for a process that has ended. The second field may contain spaces. */
const parseStartTime = (stat: string) =>
  Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])

const POD_SEGMENT =
  /^(?:kubepods-(?:burstable-|besteffort-)?)?pod([\da-f]+(?:[-_][\da-f]+)*)(?:\.slice)?$/

/**
 * Returns the UID of the pod in `/proc/PID/cgroup`; undefined if there is none, or two. The kubelet's cgroupfs driver
 * makes `/kubepods/burstable/podUID/…`, and its systemd driver `/kubepods.slice/…/kubepods-burstable-podUID.slice/…` with
 * underscores in the UID; a cgroup namespace shows the same behind `/..`. Cgroup v1 has a line for each controller, v2
 * one line. Only the first such segment counts: a container can make cgroups below its own.
 */
export function findPodUid(cgroupFile: string): string | undefined {
  const uids = cgroupFile.split('\n').flatMap((line) => {
    const segments = line.replace(/^\d+:[^:]*:/, '').split('/')
    const found = segments.flatMap((segment) => POD_SEGMENT.exec(segment)?.[1] ?? [])
    return found[0]?.replaceAll('_', '-') ?? []
  })
  return new Set(uids).size === 1 ? uids[0] : undefined
}

/** Returns undefined if the pod or the process has ended in the meantime. */
export function ignoreEnded<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EINVAL'].includes(errorCode(error) ?? '')) return undefined
    throw error
  }
}
