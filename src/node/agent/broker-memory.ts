/** Bounds the memory of brokers, which a heap limit does not: bodies and tokens are outside the heap. */
import { readFileSync } from 'node:fs'
import type { NamespaceBroker } from './namespace-broker.ts'
import { ignoreEnded } from './sandboxes.ts'

interface MemoryOptions {
  readonly all: () => readonly Pick<NamespaceBroker, 'pid' | 'kill'>[]
  /** Of one broker, in bytes. */
  readonly maxBytes: number
  /** Of the container; undefined: it has no limit. */
  readonly limitBytes: number | undefined
  readonly signal: AbortSignal
  /** Returns the bytes that a process has of its own. */
  readonly readBytes?: (pid: number) => number
}

const INTERVAL_MS = 1000
/** The kernel ends a whole container that reaches its limit, and the agent with it. */
const MAX_SHARE = 0.9

/**
 * Ends a broker that has more than its limit, and the largest one when agent and brokers together are near the limit of the
 * container, until the signal.
 */
export function watchMemory(options: MemoryOptions): void {
  const { all, maxBytes, limitBytes = Infinity, signal, readBytes = readOwnBytes } = options
  const timer = setInterval(() => {
    const used = all()
      .flatMap((broker) =>
        broker.pid === undefined ? [] : { broker, bytes: readBytes(broker.pid) },
      )
      .toSorted((a, b) => b.bytes - a.bytes)
    for (const { broker, bytes } of used) {
      if (bytes > maxBytes) broker.kill(`it had ${format(bytes)}, more than ${format(maxBytes)}`)
    }
    const total = used.reduce((sum, { bytes }) => sum + bytes, readBytes(process.pid))
    const [largest] = used
    if (largest === undefined || total <= limitBytes * MAX_SHARE) return
    const bytes = format(largest.bytes)
    largest.broker.kill(
      `it had the most memory, ${bytes}, when agent and brokers had ${format(total)} of ${format(limitBytes)}. Fix: raise nodeAgent.resources.limits.memory`,
    )
  }, INTERVAL_MS)
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
}

const format = (bytes: number) => `${Math.round(bytes / 1024 / 1024)} MiB`

/** Files that are mapped are shared with other brokers, and can be dropped. */
function readOwnBytes(pid: number): number {
  const status = ignoreEnded(() => readFileSync(`/proc/${pid}/status`, 'utf8')) ?? ''
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024
}
