/** Keeps the broker of a namespace running, and its pods served. */
import type { ChildProcess } from 'node:child_process'
import { escapeInvisible } from '../../service/logger.ts'
import { errorMessage } from '../../lib/describe-error.ts'
import { formatProblem } from '../../lib/errors.ts'
import { parseJsonObject } from '../../lib/json.ts'
import { backoffMs } from '../../lib/retry.ts'
import type { Semaphore } from '../../lib/semaphore.ts'
import type { Question, TokenKey } from '../broker/messages.ts'
import { BrokerProcess, cut, type PodMessage } from './broker-process.ts'
import type { NodePod } from './node-pod.ts'
import type { FileResult } from './pod-files.ts'
import { RouteFailure } from './route-pod.ts'
import type { RoutedPod } from './routed-pod.ts'
import { isSetAside, setAside } from './set-aside.ts'

export interface BrokerParts {
  /** Awaited before each start. If it throws, that counts as the end of the process. */
  readonly beforeStart: () => Promise<void>
  /** Starts a process with a channel as its fourth descriptor. */
  readonly start: () => ChildProcess
  /** The pods of the node. */
  readonly pods: ReadonlyMap<string, NodePod>
  /** Limits how many brokers start at the same time. */
  readonly limitStarts: Semaphore
  /** Returns the keys of the tokens that the broker fetches before it listens for the pod. */
  readonly keysOf: (uid: string) => TokenKey[] | undefined
  /** Reads a file by its path in the pod's gate. */
  readonly readFile: (pod: RoutedPod, path: string) => Promise<FileResult>
  /** Writes a line of the log. */
  readonly write: (line: string) => void
  /** Called when the broker answers on the socket of a pod; `pendingMs`: how long the pod was pending. */
  readonly onServing: (pod: RoutedPod, pendingMs: number) => void
  /** Called when the process has ended, and these pods wait for the next one. `failures`: in a row. */
  readonly onEnd: (pods: readonly NodePod[], how: string, failures: number) => void
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
/**
 * Longer than it takes to end a broker that hangs. After this time without an answer, the pod counts as refused until one
 * comes: neither the next pod nor the rollout of the agents waits for ever.
 */
const ANSWER_MS = 90_000
/** The delay before a message is sent again, for example after EAGAIN. */
const RESEND_MS = 1000

/**
 * Each new process gets all pods, one after the other; connections wait in their sockets until then. After an end it is
 * started again at once, and with backoff if that does not last.
 */
export class NamespaceBroker {
  readonly #parts: BrokerParts
  /** `Brokers` names a spare broker once it has pods. */
  name = 'of the node'
  #process: BrokerProcess | undefined
  #ready = createReady()
  /** True while the process takes pods. */
  isReady = false
  /** Why the last process has ended; undefined if none has. */
  failure: string | undefined
  /** The pod that is sent, or is sent again after a pause, and has no answer yet. */
  #awaited: { readonly served: NodePod; timeout: NodeJS.Timeout } | undefined
  #restart: NodeJS.Timeout | undefined
  /** Since when the broker has no pods and expects none, on the clock of `performance.now()`. */
  #idleSince = performance.now()
  #failures = 0
  #isStopped = false

  constructor(parts: BrokerParts) {
    this.#parts = parts
    void this.#start()
  }

  /** The pods that this broker serves. */
  get pods(): readonly NodePod[] {
    return [...this.#parts.pods.values()].filter(
      ({ pod, route }) => route !== undefined && formatBroker(pod) === this.name,
    )
  }

  /** The process identifier; undefined while none runs. */
  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Resolves when the broker takes pods. Rejects with a `RouteFailure` if the process ends before. */
  ready(): Promise<void> {
    return this.#ready.promise
  }

  /** Lets it live on: a pod is about to come. */
  expect(): void {
    this.#idleSince = performance.now()
  }

  /** Ends the connections of a pod that has no route any more. */
  close(served: NodePod): void {
    void this.#process?.send({ type: 'close', uid: served.pod.uid })
    this.#onAnswered(served)
    if (this.pods.length === 0) this.expect()
  }

  /** Lets it serve the pods whose tokens it has not fetched yet. */
  listen(): void {
    if (this.isReady) void this.#process?.send({ type: 'listen' })
  }

  /** Returns the answer of the process; undefined if there is none. */
  async ask(question: Question): Promise<unknown> {
    return this.isReady ? this.#process?.ask(question) : undefined
  }

  kill(reason: string): void {
    this.#process?.kill(reason)
  }

  /** Closes all sockets and lets the broker answer what it has received. Resolves when it has ended. */
  async stop(timeoutMs?: number): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#restart)
    for (const { route } of this.pods) route?.socket.close()
    const reason = `the broker ${this.name} has been ended`
    this.#ready.reject(new RouteFailure('broker_failed', reason))
    await this.#process?.stop(timeoutMs)
  }

  /** For how long the broker has been ready, has had no pod and has expected none, in milliseconds. */
  get idleMs(): number {
    return this.isReady && this.pods.length === 0 ? performance.now() - this.#idleSince : 0
  }

  #start(): Promise<void> {
    return this.#parts.limitStarts(async () => {
      const { beforeStart, start, pingMs } = this.#parts
      const startedAt = performance.now()
      const onEnd = (how: string) => this.#onEnd(startedAt, how)
      let started: BrokerProcess
      try {
        await beforeStart()
        if (this.#isStopped) return
        const onMessage = (message: PodMessage) => this.#onMessage(started, message)
        const onLine = (line: string) => this.#onLine(line)
        started = new BrokerProcess(start(), { pingMs, onMessage, onLine, onEnd })
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
   * lines like those of the agent and of other brokers.
   */
  #onLine(line: string): void {
    const {
      level = 'warn',
      time = new Date(),
      ...fields
    } = parseJsonObject(line) ?? {
      event: 'broker_output',
      message: line,
    }
    const broker = this.name
    const written = JSON.stringify({ level, time, ...fields, broker })
    this.#parts.write(`${escapeInvisible(written)}\n`)
  }

  /** Starts the next process: at once, and with backoff if this one did not last. */
  #onEnd(startedAt: number, reason: string): void {
    const { pods } = this
    const [ended, awaited] = [this.#process, this.#awaited]
    this.#process = undefined
    this.isReady = false
    this.#awaited = undefined
    clearTimeout(awaited?.timeout)
    for (const served of pods) if (served.sentTo === ended) served.onBrokerEnd()
    if (awaited && awaited.served.sentTo === ended) setAside(awaited.served, reason)
    const failure = `the broker ${this.name} does not run: ${reason}. It is started again`
    this.failure = failure
    this.#ready.reject(new RouteFailure('broker_failed', failure))
    this.#ready = createReady()
    if (this.#isStopped) return
    if (performance.now() - startedAt > HEALTHY_AFTER_MS) this.#failures = 0
    const delayMs = this.#failures === 0 ? 0 : Math.min(backoffMs(this.#failures), MAX_RESTART_MS)
    this.#failures += 1
    this.#restart = setTimeout(() => void this.#start(), delayMs)
    this.#parts.onEnd(pods, failure, this.#failures)
  }

  async #onMessage(child: BrokerProcess, message: PodMessage): Promise<void> {
    if (child !== this.#process) return
    if (message.type === 'ready') {
      if (!this.isReady) this.expect()
      this.isReady = true
      this.#ready.resolve()
      this.sendNext()
    } else if (message.type === 'read') {
      const { id, uid, path } = message
      const served = this.#find(child, uid)
      const result = served ? await this.#parts.readFile(served.pod, path) : { code: 'ENOENT' }
      await child.send({ type: 'file', id, ...result })
    } else {
      this.#onAnswer(child, message)
    }
  }

  /** Takes answers for a pod until one says that it is served: later ones would be counted again. */
  #onAnswer(child: BrokerProcess, message: Exclude<PodMessage, { type: 'ready' | 'read' }>): void {
    const { uid, type } = message
    const served = this.#find(child, uid)
    if (served === undefined || served.answer === 'serving') return
    served.ends = 0
    if (type === 'fetching') served.answer = 'fetching'
    else if (type === 'serving') this.#parts.onServing(served.pod, served.onServing())
    else served.onRefused(cut(formatProblem(message)))
    this.#onAnswered(served)
  }

  /** Returns the pod if this process has its socket: a broker speaks for its own pods. */
  #find(child: BrokerProcess, uid: string): NodePod | undefined {
    const served = this.#parts.pods.get(uid)
    return served?.sentTo === child ? served : undefined
  }

  /**
   * Sends the next pod that the process does not have, after the answer for the one before. A pod is the first one that a
   * process gets after another has ended with it: if this one ends too, no other pod is the cause.
   */
  sendNext(): void {
    const child = this.#process
    if (child === undefined || !this.isReady || this.#awaited !== undefined) return
    const waiting = this.pods.filter((served) => served.sentTo !== child && !isSetAside(served))
    const served = waiting.find(({ ends }) => ends > 0) ?? waiting[0]
    if (served?.route === undefined || this.#isStopped) return
    const { route } = served
    const { uid, namespace, name, serviceAccount, contents } = served.pod
    const pod = { uid, namespace, name, serviceAccount, env: route.env, contents }
    const keys = served.hasServed ? [] : this.#parts.keysOf(uid)
    const timeoutMs = this.#parts.answerMs ?? ANSWER_MS
    const timeout = setTimeout(() => {
      const problem = `the broker ${this.name} has not answered for this pod within ${timeoutMs / 1000} s`
      const fix = 'see the lines of this broker in the log of the node agent, and report the bug'
      served.onRefused(formatProblem({ problem, fix }))
      this.#onAnswered(served)
    }, timeoutMs)
    const awaited = { served, timeout }
    served.sentTo = child
    this.#awaited = awaited
    child.sendSocket({ type: 'serve', pod, keys }, route.socket).catch(() => {
      // The process may have answered, though, or it may have been too slow to take the message.
      const hasAnswered = served.answer === 'serving' || served.answer === 'fetching'
      if (served.route !== route || hasAnswered) return
      if (served.sentTo === child) served.sentTo = undefined
      if (this.#awaited !== awaited) return this.sendNext()
      clearTimeout(timeout)
      awaited.timeout = setTimeout(() => this.#onAnswered(served), RESEND_MS)
    })
  }

  /** Goes on to the next pod if this one was awaited. */
  #onAnswered(served: NodePod): void {
    if (this.#awaited?.served !== served) return
    clearTimeout(this.#awaited.timeout)
    this.#awaited = undefined
    this.sendNext()
  }
}

/** Returns the name of the broker that a pod has. */
export const formatBroker = ({ namespace }: Pick<RoutedPod, 'namespace'>) =>
  `of the namespace ${namespace}`

/** Creates a promise whose rejection nobody has to handle. */
function createReady() {
  const ready = Promise.withResolvers<void>()
  ready.promise.catch(() => {})
  return ready
}
