/** Keeps the broker of a namespace running, and its pods served. */
import type { ChildProcess } from 'node:child_process'
import { escapeInvisible } from '../../service/logger.ts'
import { untilAborted } from '../../lib/deadline.ts'
import { errorMessage } from '../../lib/describe-error.ts'
import { parseJsonObject } from '../../lib/json.ts'
import { backoffMs } from '../../lib/retry.ts'
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
  /** Starts a process with the channels. */
  readonly start: () => ChildProcess
  /** Limits how many brokers start at the same time. */
  readonly limitStarts: Semaphore
  /** Reads a file by its path in the pod's gate. */
  readonly readFile: (pod: RoutedPod, path: string) => Promise<FileResult>
  /** Returns how to connect for one more process. */
  readonly createOpen: () => OpenConnection
  /** Writes a line of the log. */
  readonly write: (line: string) => void
  /** Called for each line of a broker that is not written. */
  readonly onDroppedLine: () => void
  /** Called when the process has ended, and these pods wait for the next one. `failures`: in a row. */
  readonly onEnd: (pods: readonly RoutedPod[], how: string, failures: number) => void
  /** Times in milliseconds; only tests pass others. */
  readonly pingMs?: number
  readonly answerMs?: number
}

/** What others read of the brokers of a node. */
export interface BrokerList {
  readonly all: () => readonly Pick<NamespaceBroker, 'pods' | 'ask' | 'pid'>[]
}

/** A broker that has run for this long has started well. */
const HEALTHY_AFTER_MS = 60_000
const START_TIMEOUT_MS = 30_000
const MAX_RESTART_MS = 5000
/** Lines, or KiB, of the log of a broker: at once, and in a second. Its own limit is 51 lines a second at most. */
const LOG_BURST = 1000
const LOG_PER_SECOND = 60
const LOG_REPORT_MS = 10_000

/**
 * After an end the broker is started again at once, and with backoff if that does not last. Connections wait in the sockets of
 * its pods until then.
 */
export class NamespaceBroker {
  readonly #parts: BrokerParts
  /** `Brokers` names a spare broker once it has pods. */
  name = 'of the node'
  /** The pods that it is to serve, by uid. */
  readonly #requests = new Map<string, ServeRequest>()
  #process: BrokerProcess | undefined
  #ready = createReady()
  /** True while the process takes pods. */
  isReady = false
  /** Why the last process has ended; undefined if none has. */
  failure: string | undefined
  #restart: NodeJS.Timeout | undefined
  /** Since when the broker has no pods and expects none, on the clock of `performance.now()`. */
  #idleSince = performance.now()
  #failures = 0
  #isStopped = false
  readonly #takeLine = createBucket(LOG_BURST, LOG_PER_SECOND)
  /** Since the last report. */
  #droppedLines = 0

  constructor(parts: BrokerParts) {
    this.#parts = parts
    void this.#start()
  }

  /** The process identifier; undefined while none runs. */
  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Resolves when the broker takes pods. Rejects with a `RouteFailure` if the process ends before. */
  ready(): Promise<BrokerProcess> {
    this.#idleSince = performance.now()
    return this.#ready.promise
  }

  /** The pods that it is to serve. */
  get pods(): readonly RoutedPod[] {
    return [...this.#requests.values()].map(({ pod }) => pod)
  }

  /** Lets the broker serve the pod until the signal. Throws a `BrokerEnd`, or a `RouteFailure` if the process does not start. */
  async serve(request: ServeRequest, signal: AbortSignal): Promise<void> {
    const { uid } = request.pod
    this.#requests.set(uid, request)
    try {
      const process = await untilAborted(this.ready(), signal)
      await process.serve(request, signal)
    } finally {
      if (this.#requests.get(uid) === request) this.#requests.delete(uid)
      this.#idleSince = performance.now()
    }
  }

  /** Lets it serve the pods whose tokens it has not fetched yet. */
  listen(): void {
    if (this.isReady) void this.#process?.send({ type: 'listen' })
  }

  /** Returns the answer of the process; undefined if there is none. */
  async ask(question: Question): Promise<unknown> {
    return this.isReady ? this.#process?.ask(question) : undefined
  }

  /** Closes all sockets and lets the broker answer what it has received. Resolves when it has ended. */
  async stop(timeoutMs?: number): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#restart)
    for (const { route } of this.#requests.values()) route.socket.close()
    const reason = `the broker ${this.name} has been ended`
    this.#ready.reject(new RouteFailure('broker_failed', reason))
    await this.#process?.stop(timeoutMs)
  }

  /** For how long the broker has been ready, has had no pod and has expected none, in milliseconds. */
  get idleMs(): number {
    return this.isReady && this.#requests.size === 0 ? performance.now() - this.#idleSince : 0
  }

  #start(): Promise<void> {
    return this.#parts.limitStarts(async () => {
      const { start, createOpen, pingMs, answerMs } = this.#parts
      const startedAt = performance.now()
      const onEnd = (how: string) => this.#onEnd(startedAt, how)
      let started: BrokerProcess
      try {
        if (this.#isStopped) return
        started = new BrokerProcess(start(), {
          onReady: () => this.#onReady(started),
          readFile: (uid, path) => this.#readFile(uid, path),
          openConnection: createOpen(),
          onLine: (line) => this.#onLine(line),
          onEnd,
          pingMs,
          answerMs,
        })
      } catch (error) {
        // The node cannot start a process at this moment, for example for lack of memory (ENOMEM).
        onEnd(errorMessage(error))
        return
      }
      this.#process = started
      const reason = `it was not ready after ${START_TIMEOUT_MS / 1000} s`
      const timeout = setTimeout(() => started.kill(reason), START_TIMEOUT_MS)
      await this.#ready.promise.catch(() => {})
      clearTimeout(timeout)
    })
  }

  /**
   * Writes what the process prints with the name of the broker, which no other line has: a broker that was taken over can print
   * lines like those of the agent and of other brokers. Drops more than a broker writes whose own rate limit works.
   */
  #onLine(line: string): void {
    if (!this.#takeLine(1 + line.length / 1024)) {
      this.#onDroppedLine()
      return
    }
    const {
      level = 'warn',
      time = new Date(),
      ...fields
    } = parseJsonObject(line) ?? {
      event: 'broker_output',
      message: line,
    }
    this.#writeLine({ level, time, ...fields })
  }

  #onDroppedLine(): void {
    this.#droppedLines += 1
    this.#parts.onDroppedLine()
    if (this.#droppedLines > 1) return
    setTimeout(() => {
      const dropped = { droppedEvent: 'broker_output', count: this.#droppedLines }
      this.#droppedLines = 0
      this.#writeLine({ level: 'warn', time: new Date(), event: 'log_rate_limited', ...dropped })
    }, LOG_REPORT_MS).unref()
  }

  #writeLine(fields: object): void {
    const written = JSON.stringify({ ...fields, broker: this.name })
    this.#parts.write(`${escapeInvisible(written)}\n`)
  }

  #onReady(started: BrokerProcess): void {
    // Once: a broker that says so again and again would never be idle.
    if (started !== this.#process || this.isReady) return
    this.isReady = true
    this.#idleSince = performance.now()
    this.#ready.resolve(started)
  }

  /** Starts the next process: at once, and with backoff if this one did not last. */
  #onEnd(startedAt: number, reason: string): void {
    this.#process = undefined
    this.isReady = false
    const failure = `the broker ${this.name} does not run: ${reason}. It is started again`
    this.failure = failure
    this.#ready.reject(new RouteFailure('broker_failed', failure))
    this.#ready = createReady()
    if (this.#isStopped) return
    if (performance.now() - startedAt > HEALTHY_AFTER_MS) this.#failures = 0
    const delayMs = this.#failures === 0 ? 0 : Math.min(backoffMs(this.#failures), MAX_RESTART_MS)
    this.#failures += 1
    this.#restart = setTimeout(() => void this.#start(), delayMs)
    this.#parts.onEnd(this.pods, failure, this.#failures)
  }

  async #readFile(uid: string, path: string): Promise<FileResult> {
    const pod = this.#requests.get(uid)?.pod
    return pod === undefined ? { code: 'ENOENT' } : this.#parts.readFile(pod, path)
  }
}

/** Creates a promise whose rejection nobody has to handle. */
function createReady() {
  const ready = Promise.withResolvers<BrokerProcess>()
  ready.promise.catch(() => {})
  return ready
}
