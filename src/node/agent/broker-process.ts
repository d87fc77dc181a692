/** The broker: a child process without rights, which gets the sockets of pods and answers on them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { dirname } from 'node:path'
import { errorMessage } from '../../lib/describe-error.ts'
import { formatProblem } from '../../lib/errors.ts'
import { backoffMs } from '../../lib/retry.ts'
import { type AgentMessage, BrokerMessage } from '../broker/messages.ts'
import type { ListeningSocket } from './open-socket.ts'
import type { FileResult } from './pod-files.ts'
import type { RoutedPod } from './routed-pod.ts'

interface BrokerProcessOptions {
  /** Starts a process with an IPC channel. */
  readonly start: () => ChildProcess
  /** Called when it takes pods. */
  readonly onReady: () => void
  /** Reads a file by its path in the pod's gate. */
  readonly readFile: (pod: RoutedPod, path: string) => Promise<FileResult>
  /** Called when the broker answers on the socket of a pod. */
  readonly onServing: (pod: RoutedPod) => void
  /** Called when the broker does not serve a pod, since its settings are invalid. */
  readonly onRefused: (pod: RoutedPod, problem: string) => void
  /** Called when it has ended, and all pods wait for the next one. */
  readonly onEnd: (how: string) => void
  /** Only tests have another. */
  readonly pingMs?: number
}

interface Served {
  readonly pod: RoutedPod
  readonly socket: ListeningSocket
}

/** A broker that has run for so long has started well. */
const HEALTHY_AFTER_MS = 60_000
/** Far more than a broker that works needs for its answer: it hangs after this many pings. */
const MAX_UNANSWERED_PINGS = 6
const PING_MS = 10_000
/** For its last responses, within the grace period of the agent's pod. */
const STOP_TIMEOUT_MS = 15_000

/**
 * Keeps a broker running. Each new one gets all pods; connections wait in their sockets until then. After an end it is
 * started again at once, and with backoff if that does not last.
 */
export class BrokerProcess {
  readonly #options: BrokerProcessOptions
  readonly #served = new Map<string, Served>()
  #child: ChildProcess | undefined
  #restart: NodeJS.Timeout | undefined
  #failures = 0
  #isStopping = false

  constructor(options: BrokerProcessOptions) {
    this.#options = options
  }

  start(): void {
    const startedAt = performance.now()
    let child: ChildProcess
    try {
      child = this.#options.start()
    } catch (error) {
      // Such as ENOMEM, as the node is at this moment.
      this.#onEnd(startedAt, errorMessage(error))
      return
    }
    this.#child = child
    const end = (how: string) => {
      if (this.#child !== child) return
      this.#child = undefined
      if (!this.#isStopping) this.#onEnd(startedAt, how)
    }
    child.on('message', (message) => this.#onMessage(child, message))
    const endPings = this.#ping(child)
    child.once('exit', (code, killedBy) => {
      endPings()
      end(String(killedBy ?? code))
    })
    child.on('error', (error) => {
      // The channel of one that runs breaks when it ends, which is what counts.
      if (child.pid !== undefined) return
      endPings()
      end(errorMessage(error))
    })
    for (const served of this.#served.values()) this.#sendServed(served)
  }

  serve(pod: RoutedPod, socket: ListeningSocket): void {
    const served = { pod, socket }
    this.#served.set(pod.uid, served)
    this.#sendServed(served)
  }

  /** Lets the page of the node list a pod that is not served, with the reason. */
  addWaiting({ uid, namespace, name, serviceAccount }: RoutedPod, problem: string): void {
    if (this.#served.has(uid)) return
    this.#send({ type: 'waiting', pod: { uid, namespace, name, serviceAccount }, problem })
  }

  /** Ends the pod's connections, and closes its socket. */
  close(uid: string): void {
    this.#served.get(uid)?.socket.close()
    this.#served.delete(uid)
    this.#send({ type: 'close', uid })
  }

  /** Closes all sockets and lets the broker answer what it has received. Resolves when it has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true
    clearTimeout(this.#restart)
    for (const { socket } of this.#served.values()) socket.close()
    this.#served.clear()
    const child = this.#child
    // One that could not be started does not exit.
    if (child?.pid === undefined) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    const timeout = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await ended
    clearTimeout(timeout)
  }

  /** Starts the next broker: at once, and with backoff if this one did not last. */
  #onEnd(startedAt: number, how: string): void {
    if (performance.now() - startedAt > HEALTHY_AFTER_MS) this.#failures = 0
    const delayMs = this.#failures === 0 ? 0 : backoffMs(this.#failures)
    this.#failures += 1
    this.#restart = setTimeout(() => this.start(), delayMs)
    this.#options.onEnd(how)
  }

  /** Kills a broker that hangs, so that the next one takes its pods. Returns the function that ends it. */
  #ping(child: ChildProcess): () => void {
    let unanswered = 0
    child.on('message', () => (unanswered = 0))
    const timer = setInterval(() => {
      if (unanswered === MAX_UNANSWERED_PINGS) child.kill('SIGKILL')
      unanswered += 1
      this.#send({ type: 'ping' })
    }, this.#options.pingMs ?? PING_MS)
    return () => clearInterval(timer)
  }

  #onMessage(child: ChildProcess, value: unknown): void {
    const { data: message } = BrokerMessage.safeParse(value)
    if (message === undefined || child !== this.#child || message.type === 'pong') return
    if (message.type === 'ready') {
      this.#options.onReady()
      return
    }
    const pod = this.#served.get(message.uid)?.pod
    if (message.type === 'read') void this.#answerRead(child, message, pod)
    else if (pod === undefined) return
    else if (message.type === 'serving') this.#options.onServing(pod)
    else this.#options.onRefused(pod, formatProblem(message))
  }

  /** Answers with a file of a pod that is served. */
  async #answerRead(
    child: ChildProcess,
    { id, path }: { readonly id: number; readonly path: string },
    pod: RoutedPod | undefined,
  ): Promise<void> {
    const result = pod === undefined ? { code: 'ENOENT' } : await this.#options.readFile(pod, path)
    if (child === this.#child) this.#send({ type: 'file', id, ...result })
  }

  #sendServed({ pod, socket }: Served): void {
    const { uid, namespace, name, serviceAccount, env, contents } = pod
    const served = { uid, namespace, name, serviceAccount, env, contents }
    this.#send({ type: 'serve', pod: served }, socket)
  }

  #send(message: AgentMessage, socket?: ListeningSocket): void {
    // A channel that breaks is the end of the broker; the next one gets what counts.
    if (this.#child?.connected === true) this.#child.send(message, socket, () => {})
  }
}

interface BrokerCommand {
  /** The helper's program, which takes the rights away. */
  readonly helper: string
  /** The directories of the node, and what else the broker does not see. */
  readonly hidden: readonly string[]
  readonly adminListen: string
  readonly env: NodeJS.ProcessEnv
}

/**
 * Of nothing else on the node: where the broker sees the node's processes (hostPID), it can read the memory and files of
 * processes with its own uid, such as sidecars.
 */
const BROKER_UID = 1502

/** Starts a broker with a uid of its own, no capability and Node's permission model. */
export function startBroker({ helper, hidden, adminListen, env }: BrokerCommand): ChildProcess {
  const [, script = ''] = process.argv
  const readable = [dirname(script), '/etc/ssl', '/etc/wimds', '/proc/self/fd']
  const argv = [
    process.execPath,
    // Its heap ends before the memory of the container, whose end would be the agent's, too.
    '--max-old-space-size=160',
    '--permission',
    ...readable.map((path) => `--allow-fs-read=${path}`),
    '--disable-sigusr1',
    '--report-exclude-env',
    '--no-experimental-sqlite',
    script,
    'node-broker',
    `--admin-listen=${adminListen}`,
  ]
  return spawn(helper, ['run-broker', `${BROKER_UID}`, ...hidden, '--', ...argv], {
    env,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'json',
  })
}
