/** Finds the network namespaces of this node in which a pod may be, and says which addresses they have. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod/mini'
import { errorCode } from '../../lib/describe-error.ts'
import { parseJson } from '../../lib/json.ts'
import { type RunOptions, runTool } from '../../sidecar/redirect/run-tool.ts'
import { belongsToPod } from './cgroups.ts'
import type { Discovery } from './discovery.ts'
import type { RoutedPod } from './routed-pod.ts'

/** An open network namespace. Close it. */
export interface NetworkNamespace {
  /** Says where it was found, for messages. */
  readonly path: string
  /** The same for the same namespace at the same path. */
  readonly id: string
  readonly handle: FileHandle
}

/** Opens the namespaces in which the pod may be, each once and never the node's own. */
export type FindNamespaces = (pod: RoutedPod) => AsyncGenerator<NetworkNamespace>

interface DiscoveryOptions {
  readonly discovery: Discovery
  /** Where the container runtime keeps the namespaces (containerd, CRI-O): /var/run/netns of the node. */
  readonly netnsDirectory: string
  /** /proc; with `processes` it shows the processes of the node (hostPID). */
  readonly procDirectory: string
}

/** Creates the search. */
export function createNamespaceSearch(options: DiscoveryOptions): FindNamespaces {
  const { discovery, netnsDirectory, procDirectory } = options
  const find =
    discovery === 'netns'
      ? () => openRuntimeNamespaces(netnsDirectory)
      : (pod: RoutedPod) => openProcessNamespaces(procDirectory, pod.uid)
  return async function* (pod) {
    const seen = await readOwnNamespaces(procDirectory)
    for await (const namespace of find(pod)) {
      const id = await identify(namespace.handle)
      if (seen.has(id)) {
        await namespace.handle.close()
        continue
      }
      seen.add(id)
      yield { ...namespace, id: `${namespace.path} ${id}` }
    }
  }
}

/** Returns the namespaces of process 1, which is the node's where its processes are visible, and of this process. */
async function readOwnNamespaces(procDirectory: string): Promise<Set<string>> {
  const ids = ['1', 'self'].map(async (process) => {
    try {
      const { dev, ino } = await stat(join(procDirectory, process, 'ns/net'))
      return `${dev}:${ino}`
    } catch (error) {
      // Without CAP_SYS_PTRACE the link of process 1 is not readable.
      if (errorCode(error) === 'EACCES') return ''
      throw error
    }
  })
  return new Set(await Promise.all(ids))
}

async function identify(handle: FileHandle): Promise<string> {
  const { dev, ino } = await handle.stat()
  return `${dev}:${ino}`
}

type Opened = Pick<NetworkNamespace, 'path' | 'handle'>

async function* openRuntimeNamespaces(directory: string): AsyncGenerator<Opened> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name)
    const handle = await openIfPresent(path)
    if (handle !== undefined) yield { path, handle }
  }
}

/**
 * Opens the namespaces of the pod's processes, each once. A process can end and its number be used again, so its
 * cgroup is read again after its namespace was opened.
 * A process may also have left the pod's namespace: the caller compares the addresses. The files are read
 * synchronously: a node has a thousand processes, and each asynchronous call costs several times the read.
 */
async function* openProcessNamespaces(procDirectory: string, uid: string): AsyncGenerator<Opened> {
  const opened = new Set<string>()
  for (const name of readdirSync(procDirectory)) {
    if (!/^\d+$/.test(name)) continue
    const directory = join(procDirectory, name)
    if (!isProcessOf(uid, directory)) continue
    const path = join(directory, 'ns/net')
    const link = ignoreEnded(() => readlinkSync(path))
    if (link === undefined || opened.has(link)) continue
    const handle = await openIfPresent(path)
    if (handle === undefined) continue
    if (isProcessOf(uid, directory)) {
      opened.add(link)
      yield { path, handle }
    } else await handle.close()
  }
}

function isProcessOf(uid: string, directory: string): boolean {
  const cgroups = ignoreEnded(() => readFileSync(join(directory, 'cgroup'), 'utf8'))
  return cgroups !== undefined && belongsToPod(cgroups, uid)
}

/** Returns undefined if the process has ended in the meantime. */
function ignoreEnded<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

async function openIfPresent(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

/** Returns true if the pod or the process has ended in the meantime. */
function isGone(error: unknown): boolean {
  return ['ENOENT', 'ESRCH', 'EINVAL'].includes(errorCode(error) ?? '')
}

const Links = z.array(
  z.object({ addr_info: z.nullish(z.array(z.object({ local: z.nullish(z.string()) }))) }),
)

/** Returns the addresses of all links in the namespace, without prefix lengths. */
export async function readAddresses(
  { handle }: NetworkNamespace,
  options: Omit<RunOptions, 'namespace'>,
): Promise<string[]> {
  const argv = ['ip', '-json', 'address', 'show'] as const
  const text = await runTool({ argv: [...argv] }, { ...options, namespace: handle.fd })
  const links = Links.parse(parseJson(text))
  return links.flatMap(({ addr_info: list }) => (list ?? []).flatMap(({ local }) => local ?? []))
}
