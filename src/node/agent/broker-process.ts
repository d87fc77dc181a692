/** A broker: a child process without rights, which gets the sockets of pods and answers on them. */
import type { ChildProcess } from 'node:child_process'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { errorMessage } from '../../lib/describe-error.ts'
import { ConnectError, type Peer } from '../../lib/connect-error.ts'
import { formatProblem, toBrokerError } from '../../lib/errors.ts'
import { createPause } from '../../lib/retry.ts'
import { scrubAndTruncate } from '../../lib/scrub.ts'
import { createSemaphore } from '../../lib/semaphore.ts'
import type {
  AgentMessage,
  Answer,
  BrokerQuestion,
  ConnectionAnswer,
  PodMessage,
  Question,
  TokenKey,
} from '../broker/messages.ts'
import { MAX_ANSWER_CHARS, Questions, splitAnswer } from '../broker/questions.ts'
import { BrokerChannel, type Message } from './broker-channel.ts'
import { costOf, readLines } from './broker-lines.ts'
import type { OpenConnection } from './connections.ts'
import { HELPER } from './helper.ts'
import type { FileResult } from './pod-files.ts'
import { type Route, RouteFailure } from './route-pod.ts'
import type { RoutedPod } from './routed-pod.ts'

/** What a broker says of a pod: it serves the pod, fetches its tokens, or why it does neither. */
export type PodAnswer = 'serving' | 'fetching' | RouteFailure

/** A pod that a broker is to serve. */
export interface ServeRequest {
  readonly pod: RoutedPod
  readonly route: Route
  /** Returns the keys of the tokens that the broker fetches before it listens; an empty list: it listens at once. */
  readonly findKeys: () => TokenKey[] | undefined
  /** True for a pod with which a process has ended: it comes first, so that no other pod is the cause if this one ends too. */
  readonly isSuspect: boolean
  readonly onAnswer: (answer: PodAnswer) => void
}

interface Served extends ServeRequest {
  readonly signal: AbortSignal
  /** Resolves when the next pod may be sent. */
  readonly answered: PromiseWithResolvers<void>
  /** Resolves with the reason when the process has ended. */
  readonly ended: PromiseWithResolvers<string | undefined>
  state: 'waiting' | 'sent' | 'answered' | 'serving'
}

/** The process has ended. */
export class BrokerEnd extends Error {
  /** True if it ended when it had just got the pod. */
  readonly isOfPod: boolean

  constructor(reason: string, isOfPod: boolean) {
    super(reason)
    this.isOfPod = isOfPod
  }
}

interface BrokerProcessOptions {
  /** Called when the broker takes pods. */
  readonly onReady: () => void
  /** Reads a file by its path in the gate of a pod that the broker serves. Never rejects. */
  readonly readFile: (uid: string, path: string) => Promise<FileResult>
  readonly openConnection: OpenConnection
  /** Handles a line that the broker prints. */
  readonly onLine: (line: string) => void
  /** Called once, with the reason, when the broker has ended, or could not be started. */
  readonly onEnd: (how: string) => void
  /** Times in milliseconds; only tests pass others. */
  readonly pingMs?: number | undefined
  readonly answerMs?: number | undefined
}

/** A broker that has not answered this many pings hangs. A working one needs far less time. */
const MAX_UNANSWERED_PINGS = 6
const PING_MS = 10_000
/** The time that a broker has for its last responses, within the grace period of the agent's pod. */
const STOP_TIMEOUT_MS = 15_000
const ANSWER_TIMEOUT_MS = 1000
/** The delay before a socket is sent again. */
const RESEND_MS = 1000
/** Longer than it takes to end a broker that hangs. */
const SILENCE_MS = 90_000

/** What the answer to a question may count in the channel: JSON writes some characters, such as a quote, as two. */
const MAX_ANSWER_COST = 2 * costOf(MAX_ANSWER_CHARS)
/** An answer may come late to one of this many last questions. */
const MAX_LATE_ANSWERS = 64

const MAX_PROBLEM_CHARS = 2000
/** How the errors of the helper begin, which becomes the broker. */
const HELPER_FAILED = `${HELPER}: `

export class BrokerProcess {
  readonly #child: ChildProcess
  readonly #channel: BrokerChannel
  readonly #options: BrokerProcessOptions
  readonly #questions: Questions<Question>
  /** What is left of `MAX_ANSWER_COST` by the question's id. Others, such as a scraper, decide how often the agent asks. */
  readonly #costLeft = new Map<number, number>()
  readonly #ended = Promise.withResolvers<void>()
  /** Why it has ended; undefined while it runs. */
  #end: string | undefined
  /** By uid. */
  readonly #served = new Map<string, Served>()
  readonly #limitSending = createSemaphore({ maxConcurrent: 1 })
  /** True after it has not answered for a pod, until it answers for one. */
  #isSilent = false
  #unanswered = 0
  /** What the broker, or the helper, has said about the broker's settings. */
  #problem: string | undefined
  /** Why the agent ends it. */
  #reason: string | undefined

  /** Takes a process that has just been started, with its channels. */
  constructor(child: ChildProcess, options: BrokerProcessOptions) {
    this.#child = child
    this.#options = options
    this.#channel = new BrokerChannel(child)
    this.#questions = new Questions((message) => {
      this.#costLeft.set(message.id, MAX_ANSWER_COST)
      this.#costLeft.delete(message.id - MAX_LATE_ANSWERS)
      void this.send(message)
    })
    const pings = setInterval(() => this.#ping(), options.pingMs ?? PING_MS)
    const reading = [child.stdout, child.stderr].flatMap((output) =>
      output === null ? [] : this.#endMisuse(readLines(output, this.#onLine)),
    )
    void this.#endMisuse(this.#channel.read((message, chars) => this.#onMessage(message, chars)))
    void this.#awaitEnd(pings, reading)
  }

  /** The process id; undefined if the process could not be started. */
  get pid(): number | undefined {
    return this.#child.pid
  }

  send(message: AgentMessage): Promise<void> {
    return this.#channel.send(message)
  }

  /** Returns the broker's answer, which can be anything; undefined if none comes in a second, or it is too long. */
  ask(question: Question): Promise<unknown> {
    return this.#questions.ask(question, AbortSignal.timeout(ANSWER_TIMEOUT_MS))
  }

  /**
   * Lets the broker serve the pod until the signal. The broker gets the next pod when it has answered for this one, or is
   * silent. Throws a `BrokerEnd`.
   */
  async serve(request: ServeRequest, signal: AbortSignal): Promise<void> {
    const { pod, onAnswer } = request
    const answered = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<string | undefined>()
    const served: Served = { ...request, signal, answered, ended, state: 'waiting' }
    const onAbort = () => ended.resolve(undefined)
    signal.addEventListener('abort', onAbort)
    this.#served.set(pod.uid, served)
    if (this.#isSilent) onAnswer(this.#describeSilence())
    void this.#sendInTurn(served)
    const reason = this.#end ?? (await ended.promise)
    signal.removeEventListener('abort', onAbort)
    answered.resolve()
    if (this.#served.get(pod.uid) === served) this.#served.delete(pod.uid)
    if (reason !== undefined) throw new BrokerEnd(reason, served.state === 'sent')
    if (served.state !== 'waiting') void this.send({ type: 'close', uid: pod.uid })
  }

  kill(reason: string): void {
    this.#reason ??= reason
    this.#child.kill('SIGKILL')
  }

  /** Gives the broker this long to answer what it has received. Resolves when the broker has ended. */
  async stop(timeoutMs = STOP_TIMEOUT_MS): Promise<void> {
    this.#child.kill('SIGTERM')
    const timeout = setTimeout(() => this.kill('it did not end in time'), timeoutMs)
    await this.#ended.promise
    clearTimeout(timeout)
  }

  async #awaitEnd(pings: NodeJS.Timeout, reading: readonly Promise<void>[]): Promise<void> {
    const how = await waitForExit(this.#child)
    // What it has printed may be the reason.
    await Promise.all(reading)
    clearInterval(pings)
    this.#questions.close()
    this.#end = this.#problem ?? this.#reason ?? how
    for (const { ended } of this.#served.values()) ended.resolve(this.#end)
    this.#ended.resolve()
    this.#options.onEnd(this.#end)
  }

  async #endMisuse(reading: Promise<string | undefined>): Promise<void> {
    const misuse = await reading
    if (misuse !== undefined) this.kill(misuse)
  }

  #ping(): void {
    if (this.#unanswered === MAX_UNANSWERED_PINGS) this.kill('it did not answer')
    this.#unanswered += 1
    void this.ask({ about: 'ping' })
  }

  readonly #onLine = (line: string): void => {
    if (line.startsWith(HELPER_FAILED)) this.#problem = cut(line)
    this.#options.onLine(line)
  }

  /** Sends the pod after those that came before it; one with which a process has ended before goes first. */
  async #sendInTurn(served: Served): Promise<void> {
    // All pods of a broker that has ended come at the same moment.
    if (!served.isSuspect) await nextTurn()
    await this.#limitSending(() => this.#sendPod(served))
  }

  async #sendPod(served: Served): Promise<void> {
    const { route, findKeys, signal, answered } = served
    if (signal.aborted || this.#end !== undefined) return
    served.state = 'sent'
    const { uid, namespace, name, serviceAccount, contents } = served.pod
    const pod = { uid, namespace, name, serviceAccount, env: route.env, contents }
    try {
      const socket = await this.#channel.sendSocket(route.socket)
      void this.send({ type: 'serve', socket, pod, keys: findKeys() })
      if (signal.aborted) void this.send({ type: 'close', uid })
    } catch {
      // The broker has ended, or the node has no memory for the message at this moment.
      await createPause(signal)(RESEND_MS)
      await this.#sendPod(served)
      return
    }
    const silence = setTimeout(() => {
      this.#isSilent = true
      served.state = 'answered'
      answered.resolve()
      for (const each of this.#served.values()) {
        if (each.state !== 'serving') each.onAnswer(this.#describeSilence())
      }
    }, this.#options.answerMs ?? SILENCE_MS)
    await answered.promise
    clearTimeout(silence)
  }

  #describeSilence(): RouteFailure {
    const seconds = (this.#options.answerMs ?? SILENCE_MS) / 1000
    const problem = `the broker has not answered for a pod of its namespace within ${seconds} s`
    const fix = 'see the lines of this broker in the log of the node agent, and report the bug'
    return new RouteFailure('broker_failed', formatProblem({ problem, fix }))
  }

  /** Returns whether the agent has asked for the message, in a line of so many characters. */
  async #onMessage(message: Message, chars: number): Promise<boolean> {
    this.#unanswered = 0
    switch (message.type) {
      case 'answer':
        this.#questions.onAnswer(message)
        return this.#takeCost(message, chars)
      case 'invalid':
        this.#problem = cut(message.problem)
        break
      case 'ready':
        this.#options.onReady()
        break
      case 'pod':
        this.#onPod(message)
        break
      case 'ask':
        await this.#answer(message)
        break
    }
    return false
  }

  /** Resolves when the answer is sent; at once for a connection, whose number is limited, and which takes seconds. */
  async #answer({ id, question }: Extract<Message, { type: 'ask' }>): Promise<void> {
    const answering = this.#sendAnswer(id, question)
    if (question.about === 'file') await answering
  }

  async #sendAnswer(id: number, question: BrokerQuestion): Promise<void> {
    const answer = await (question.about === 'file'
      ? this.#readFile(question)
      : this.#connect(question))
    for (const part of splitAnswer(id, answer)) await this.send(part)
  }

  /** Takes answers for a pod until one says that it is served: later ones would be counted again. */
  #onPod({ uid, state, problem = '', fix }: PodMessage): void {
    const served = this.#served.get(uid)
    if (served === undefined || served.state === 'waiting' || served.state === 'serving') return
    this.#isSilent = false
    served.state = state === 'serving' ? 'serving' : 'answered'
    served.answered.resolve()
    const refusal = () => new RouteFailure('settings_invalid', cut(formatProblem({ problem, fix })))
    served.onAnswer(state === 'failed' ? refusal() : state)
  }

  async #readFile({ uid, path }: { uid: string; path: string }): Promise<FileResult> {
    const isServed = (this.#served.get(uid)?.state ?? 'waiting') !== 'waiting'
    return isServed ? this.#options.readFile(uid, path) : { code: 'ENOENT' }
  }

  async #connect(to: Peer): Promise<ConnectionAnswer> {
    try {
      const socket = await this.#options.openConnection(to)
      try {
        return { socket: await this.#channel.sendSocket(socket) }
      } catch (error) {
        socket.destroy()
        throw error
      }
    } catch (error) {
      if (error instanceof ConnectError) return { failure: error.failure }
      const { code, problem, fix } = toBrokerError(error)
      return { error: { code, problem, fix } }
    }
  }

  #takeCost({ id, isLast }: Answer, chars: number): boolean {
    const left = (this.#costLeft.get(id) ?? 0) - costOf(chars)
    if (isLast || left < 0) this.#costLeft.delete(id)
    else this.#costLeft.set(id, left)
    return left >= 0
  }
}

/** Returns how the process has ended, or why it could not be started. */
function waitForExit(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('exit', (code, killedBy) => resolve(`it has ended with ${String(killedBy ?? code)}`))
    child.on('error', (error) => {
      if (child.pid === undefined) resolve(errorMessage(error))
    })
  })
}

/** Returns what a broker says, as far as it goes into events and logs of the agent. */
const cut = (text: string) => scrubAndTruncate(text, MAX_PROBLEM_CHARS)
