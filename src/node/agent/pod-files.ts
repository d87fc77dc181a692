/**
 * Reads files of pods from the kubelet's directory. The helper wimds-node resolves each path beneath the pod's own directory.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { posix } from 'node:path'
import { once } from 'node:events'
import { HELPER } from './helper.ts'
import type { RoutedPod } from './routed-pod.ts'

/** The text of a file, or the code of the error, such as ENOENT. */
export type FileResult = { readonly text: string } | { readonly code: string }

/** One process answers all requests, in order. The first request starts it, and so does the next request after its end. */
export class PodFiles {
  readonly #directory: string
  #reader: Reader | undefined

  /** Takes the kubelet's directory, with one directory for each pod, named by its UID. */
  constructor(directory: string) {
    this.#directory = directory
  }

  /** Reads a file by its path in the pod's gate. The result is ENOENT if the gate mounts no volume there. */
  async read(pod: Pick<RoutedPod, 'uid' | 'mounts'>, path: string): Promise<FileResult> {
    const beneath = findPath(pod.mounts, path)
    if (beneath === undefined) return { code: 'ENOENT' }
    try {
      this.#reader ??= this.#start()
    } catch {
      // The node cannot start a process at this moment, for example for lack of memory (ENOMEM).
      return { code: 'EIO' }
    }
    return this.#reader.request(`${pod.uid} ${beneath}\n`)
  }

  close(): void {
    this.#reader?.close()
  }

  #start(): Reader {
    const child = spawn(HELPER, ['read-files', this.#directory], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    return new Reader(child, () => (this.#reader = undefined))
  }
}

/** The process and the requests that it has not answered. */
class Reader {
  readonly #child: ChildProcess
  readonly #waiting: ((result: FileResult) => void)[] = []
  #received = Buffer.alloc(0)

  constructor(child: ChildProcess, onEnd: () => void) {
    this.#child = child
    child.stdout?.on('data', (chunk: Buffer) => this.#onData(chunk))
    // `close` reports the end of the process.
    child.stdin?.on('error', () => {})
    const end = () => {
      onEnd()
      for (const answer of this.#waiting.splice(0)) answer({ code: 'EIO' })
    }
    once(child, 'close').then(end, end)
  }

  request(line: string): Promise<FileResult> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#child.stdin?.write(line)
    })
  }

  close(): void {
    this.#child.stdin?.end()
  }

  #onData(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk])
    for (;;) {
      const end = this.#received.indexOf('\n')
      if (end === -1) return
      const [kind, value = ''] = this.#received.toString('latin1', 0, end).split(' ')
      const length = kind === 'OK' ? Number(value) : 0
      const bodyEnd = end + 1 + length
      if (this.#received.length < bodyEnd) return
      const text = this.#received.toString('utf8', end + 1, bodyEnd)
      this.#received = this.#received.subarray(bodyEnd)
      this.#waiting.shift()?.(kind === 'OK' ? { text } : { code: value })
    }
  }
}

/** Returns the path below the pod's directory; undefined if no mount covers it, or if a request cannot have its characters. */
function findPath(mounts: RoutedPod['mounts'], path: string): string | undefined {
  const normal = posix.normalize(path)
  if (/[\n\0]/.test(normal)) return undefined
  const [mount] = mounts
    .filter((each) => normal.startsWith(`${trimSlash(each.path)}/`))
    .toSorted((a, b) => b.path.length - a.path.length)
  return mount && mount.directory + normal.slice(trimSlash(mount.path).length)
}

const trimSlash = (path: string) => path.replace(/\/$/, '')
