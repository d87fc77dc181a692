/** Bounds the memory of brokers, which a heap limit does not: bodies and tokens are outside the heap. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NamespaceBroker } from './namespace-broker.ts'
import { ignoreEnded } from './sandboxes.ts'

type Broker = Pick<NamespaceBroker, 'pid' | 'kill'>

interface MemoryOptions {
  readonly all: () => readonly Broker[]
  /** The limit of one broker, in bytes. */
  readonly maxBytes: number
  /** The limit of the container, in bytes; undefined if it has none. */
  readonly limitBytes: number | undefined
  readonly signal: AbortSignal
  readonly onError: (error: unknown) => void
  /** Returns the bytes that a process has of its own. */
  readonly readBytes?: (pid: number) => number
  /** Returns the bytes of the container. */
  readonly readContainer?: () => number
}

const INTERVAL_MS = 1000
/** The kernel ends a whole container that reaches its limit, and the agent with it. */
const MAX_SHARE = 0.9

/**
 * Ends a broker that has more than its limit, and the largest one when the container is near its limit, until the signal. If the
 * container has no room after that, the next one is another broker: memory such as buffers of sockets is of no process, so the
 * largest need not be the cause. Reports a failed read, such as one without a free descriptor.
 */
export function watchMemory(options: MemoryOptions): void {
  const { signal, onError } = options
  const ended = new Map<Broker, number | undefined>()
  const timer = setInterval(() => {
    try {
      endLargest(options, ended)
    } catch (error) {
      onError(error)
    }
  }, INTERVAL_MS)
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
}

/** `ended`: the brokers that were ended since the container had room, with their process ids. */
function endLargest(options: MemoryOptions, ended: Map<Broker, number | undefined>): void {
  const { all, maxBytes, limitBytes = Infinity } = options
  const { readBytes = readOwnBytes, readContainer = readContainerBytes } = options
  const used = all()
    .flatMap((broker) => (broker.pid === undefined ? [] : { broker, bytes: readBytes(broker.pid) }))
    .toSorted((a, b) => b.bytes - a.bytes)
  for (const { broker, bytes } of used) {
    if (bytes > maxBytes) broker.kill(`it had ${format(bytes)}, more than ${format(maxBytes)}`)
  }
  const ofProcesses = used.reduce((sum, { bytes }) => sum + bytes, readBytes(process.pid))
  const total = Math.max(ofProcesses, readContainer())
  if (total <= limitBytes * MAX_SHARE) {
    ended.clear()
    return
  }
  // The kernel frees the memory of a process when it has ended.
  if (used.some(({ broker }) => ended.get(broker) === broker.pid)) return
  let largest = used.find(({ broker }) => !ended.has(broker))
  if (largest === undefined) {
    ended.clear()
    ;[largest] = used
  }
  if (largest === undefined) return
  ended.set(largest.broker, largest.broker.pid)
  largest.broker.kill(
    `it had the most memory, ${format(largest.bytes)}, when the container had ${format(total)} of ${format(limitBytes)}. Fix: raise nodeAgent.resources.limits.memory`,
  )
}

const format = (bytes: number) => `${Math.round(bytes / 1024 / 1024)} MiB`

/** Files that are mapped are shared with other brokers, and can be dropped. */
function readOwnBytes(pid: number): number {
  const status = ignoreEnded(() => readFileSync(`/proc/${pid}/status`, 'utf8')) ?? ''
  return 1024 * (readField(status, 'RssAnon:') + readField(status, 'RssShmem:'))
}

/**
 * The files of a container's cgroup, versions 2 and 1; and the entries of `memory.stat` that the kernel can drop, except for
 * `shared`.
 */
const CGROUPS = [
  {
    usage: 'memory.current',
    stat: 'memory.stat',
    droppable: ['file', 'slab_reclaimable'],
    shared: 'shmem',
  },
  {
    usage: 'memory/memory.usage_in_bytes',
    stat: 'memory/memory.stat',
    droppable: ['total_cache'],
    shared: 'total_shmem',
  },
]

/** Returns the memory of the container in bytes, with buffers of sockets, which no process has; 0 without a cgroup. */
export function readContainerBytes(directory = '/sys/fs/cgroup'): number {
  for (const { usage, stat, droppable, shared } of CGROUPS) {
    const bytes = ignoreEnded(() => readFileSync(join(directory, usage), 'utf8'))
    if (bytes === undefined) continue
    const fields = readFileSync(join(directory, stat), 'utf8')
    const dropped = droppable.reduce((sum, name) => sum + readField(fields, name), 0)
    return Number(bytes) - dropped + readField(fields, shared)
  }
  return 0
}

/** Reads `NAME NUMBER` from the lines of a file of the kernel; 0 if it has no such line. */
const readField = (text: string, name: string) =>
  Number(new RegExp(`^${name}\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0)
