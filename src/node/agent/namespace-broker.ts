/** Keeps the broker of a namespace running. */
import type { ChildProcess } from 'node:child_process'
import { escapeInvisible } from '../../service/logger.ts'
import { untilAborted } from '../../lib/deadline.ts'
import { errorMessage } from '../../lib/describe-error.ts'
import { parseJsonObject } from '../../lib/json.ts'
import { backoffMs, createPause } from '../../lib/retry.ts'
import type { Semaphore } from '../../lib/semaphore.ts'
import type { Question } from '../broker/messages.ts'
import type { ServeRequest } from './broker-pods.ts'
import { BrokerProcess } from './broker-process.ts'
import { createBucket } from './bucket.ts'
import type { OpenConnection } from './connections.ts'
import type { FileResult } from './pod-files.ts'
import { RouteFailure } from './route-pod.ts'
import type { RoutedPod } from './routed-pod.ts'

export interface BrokerParts {
  /** Starts a broker process with its channels. */
  readonly start: () => ChildProcess
  /** Limits how many brokers start at the same time. */
  readonly limitStarts: Semaphore
  /** Reads a file by its path in the pod's gate. */
  readonly readFile: (pod: RoutedPod, path: string) => Promise<FileResult>
  /** Creates the function that opens connections for a new process. */
  readonly createOpen: () => OpenConnection
  /** Writes a line of the log. */
  readonly write: (line: string) => void
  /** Called for each line of a broker that is not written. */
  readonly onDroppedLine: () => void
  /** Called with the message when the process has ended. */
  readonly onEnd: (message: string) => void
}

/** The brokers as metrics, status page and succession read them. */
export interface BrokerList {
  readonly all: () => readonly Pick<NamespaceBroker, 'pods' | 'ask'>[]
}

/** A broker that has run for this long has started well. */
const HEALTHY_AFTER_MS = 60_000
const START_TIMEOUT_MS = 30_000
const MAX_RESTART_MS = 5000
/** The limits of a broker's log, in lines or KiB: at once, and then in a second. A broker writes at most 51 lines a second. */
const LOG_BURST = 1000
const LOG_PER_SECOND = 60

/**
 * Starts the broker again at once after its end, and with backoff if it ends again soon. Until then, connections wait in the
 * sockets of its pods.
 */
export class NamespaceBroker {
  readonly #parts: BrokerParts
  /** Completes "the broker …". `Brokers` renames a spare broker once it has a namespace. */
  name = 'of the node'
  #process: BrokerProcess | undefined
  #ready = createReady()
  /** True while the process takes pods. */
  isReady = false
  /** Why the last process has ended; undefined if none has. */
  failure: string | undefined
  /** Since when the broker has had no pod, on the clock of `performance.now()`. */
  #idleSince = 0
  /** The number of ends in a row. A process that has run for HEALTHY_AFTER_MS starts the count again. */
  #failures = 0
  readonly #stopping = new AbortController()
  readonly #takeLine = createBucket(LOG_BURST, LOG_PER_SECOND)

  constructor(parts: BrokerParts) {
    this.#parts = parts
    void this.#run()
  }

  /** The pods that the process serves or is to serve. */
  get pods(): readonly RoutedPod[] {
    return this.#process?.pods.all() ?? []
  }

  /**
   * Lets the broker serve the pod until the signal aborts or the process ends. Throws a `RouteFailure` if the process does not
   * start, or if several processes in a row have ended.
   */
  async serve(request: ServeRequest, signal: AbortSignal): Promise<void> {
    const process = await untilAborted(this.#ready.promise, signal)
    await process.pods.serve(request, signal)
    this.#idleSince = performance.now()
    if (!signal.aborted && this.#failures > 1)
      throw new RouteFailure('broker_failed', this.failure ?? '')
  }

  /** Lets the broker serve its pods now, even pods whose tokens it has not fetched yet. */
  listen(): void {
    if (this.isReady) void this.#process?.send({ type: 'listen' })
  }

  /** Returns the answer of the process; undefined if there is no answer. */
  async ask(question: Question): Promise<unknown> {
    return this.isReady ? this.#process?.ask(question) : undefined
  }

  /** Ends the broker, which first answers the requests that it has received. Resolves when it has ended. */
  async stop(timeoutMs?: number): Promise<void> {
    this.#stopping.abort()
    const reason = `the broker ${this.name} has been ended`
    this.#ready.reject(new RouteFailure('broker_failed', reason))
    await this.#process?.stop(timeoutMs)
  }

  /** For how long the broker has been ready and has had no pod, in milliseconds. */
  get idleMs(): number {
    return this.isReady && this.pods.length === 0 ? performance.now() - this.#idleSince : 0
  }

  /** Runs one process after the other. */
  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      // The node may be unable to start a process, for example for lack of memory (ENOMEM).
      const onError = (error: unknown) => this.#onEnd(performance.now(), errorMessage(error))
      await this.#parts.limitStarts(() => this.#start()).catch(onError)
      await this.#process?.ended
      const delayMs = this.#failures > 1 ? backoffMs(this.#failures - 1) : 0
      await createPause(signal)(Math.min(delayMs, MAX_RESTART_MS))
    }
  }

  /** Starts a process. Resolves when it is ready or has ended. */
  async #start(): Promise<void> {
    if (this.#stopping.signal.aborted) return
    const startedAt = performance.now()
    const { start, readFile, createOpen } = this.#parts
    const options = { readFile, openConnection: createOpen(), onLine: this.#onLine }
    const started = new BrokerProcess(start(), options)
    this.#process = started
    // Attached first: the pods learn of the end after #onEnd has run.
    const ended = started.ended.then((reason) => this.#onEnd(startedAt, reason))
    const late = `it was not ready after ${START_TIMEOUT_MS / 1000} s`
    const timeout = setTimeout(() => started.kill(late), START_TIMEOUT_MS)
    await Promise.race([started.ready.then(() => this.#onReady(started)), ended])
    clearTimeout(timeout)
  }

  /**
   * Writes a line that the process prints, and adds the name of the broker: a compromised broker can print lines like the lines
   * of the agent and of other brokers. Drops lines above a rate that no working broker reaches.
   */
  readonly #onLine = (line: string): void => {
    if (!this.#takeLine(1 + line.length / 1024)) {
      this.#parts.onDroppedLine()
      return
    }
    const printed = parseJsonObject(line) ?? { event: 'broker_output', message: line }
    const { level = 'warn', time = new Date(), ...fields } = printed
    const written = JSON.stringify({ level, time, ...fields, broker: this.name })
    this.#parts.write(`${escapeInvisible(written)}\n`)
  }

  #onReady(started: BrokerProcess): void {
    if (started !== this.#process) return
    this.isReady = true
    this.#idleSince = performance.now()
    this.#ready.resolve(started)
  }

  #onEnd(startedAt: number, reason: string): void {
    this.#process = undefined
    this.isReady = false
    this.failure = `the broker ${this.name} does not run: ${reason}. It is started again`
    this.#ready.reject(new RouteFailure('broker_failed', this.failure))
    this.#ready = createReady()
    if (this.#stopping.signal.aborted) return
    if (performance.now() - startedAt > HEALTHY_AFTER_MS) this.#failures = 0
    this.#failures += 1
    this.#parts.onEnd(this.failure)
  }
}

/** Creates a promise whose rejection nobody has to handle. */
function createReady() {
  const ready = Promise.withResolvers<BrokerProcess>()
  ready.promise.catch(() => {})
  return ready
}
