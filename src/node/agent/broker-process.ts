/** A broker: a child process without rights, which gets the sockets of pods and answers on them. */
import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { errorMessage } from '../../lib/describe-error.ts'
import { ConnectError, type Peer } from '../../lib/connect-error.ts'
import { toBrokerError } from '../../lib/errors.ts'
import type {
  AgentMessage,
  BrokerQuestion,
  ConnectionAnswer,
  Question,
} from '../broker/messages.ts'
import { Questions } from '../broker/questions.ts'
import { BrokerChannel, type Message } from './broker-channel.ts'
import { cut, readLines } from './broker-lines.ts'
import { BrokerPods } from './broker-pods.ts'
import type { OpenConnection } from './connections.ts'
import { HELPER } from './helper.ts'
import type { FileResult } from './pod-files.ts'
import type { RoutedPod } from './routed-pod.ts'

interface BrokerProcessOptions {
  /** Reads a file by its path in the gate of a pod that the broker serves. Never rejects. */
  readonly readFile: (pod: RoutedPod, path: string) => Promise<FileResult>
  readonly openConnection: OpenConnection
  /** Handles a line that the broker prints. */
  readonly onLine: (line: string) => void
}

/** How many pings a broker may leave unanswered. A working broker answers in far less time. */
const MAX_UNANSWERED_PINGS = 6
const PING_MS = 10_000
/** The time that a broker has for its last responses, within the grace period of the agent's pod. */
const STOP_TIMEOUT_MS = 15_000
/** How long the agent waits for an answer. */
const ANSWER_MS = 1000
/** How long the output of a broker is read after its end. */
const LAST_OUTPUT_MS = 1000

/** The prefix of the errors of wimds-node, which runs in the process before the broker does. */
const HELPER_FAILED = `${HELPER}: `

export class BrokerProcess {
  readonly #child: ChildProcess
  /** Resolves with how the process has ended. */
  readonly #exited: Promise<string>
  readonly #channel: BrokerChannel
  readonly #options: BrokerProcessOptions
  readonly #questions: Questions<Question>
  readonly pods: BrokerPods
  readonly #ready = Promise.withResolvers<void>()
  /** Resolves when the broker takes pods. */
  readonly ready = this.#ready.promise
  readonly #ended = Promise.withResolvers<string>()
  /** Resolves with the reason when the broker has ended, or could not be started. */
  readonly ended = this.#ended.promise
  #unanswered = 0
  /** A problem of the settings, which the broker or wimds-node has reported. */
  #problem: string | undefined
  /** Why the agent has killed the process. */
  #reason: string | undefined

  /** Takes a process that has just been started. If the process has no channels, kills it and throws an error. */
  constructor(child: ChildProcess, options: BrokerProcessOptions) {
    // This listener comes first: a failed start emits an error, which without a listener would end the agent.
    this.#exited = waitForExit(child)
    this.#child = child
    this.#options = options
    try {
      this.#channel = new BrokerChannel(child)
    } catch (error) {
      if (child.pid !== undefined) child.kill('SIGKILL')
      throw error
    }
    this.pods = new BrokerPods(this.#channel, this.ended)
    this.#questions = new Questions((message) => void this.send(message))
    const pings = setInterval(() => this.#ping(), PING_MS)
    const reading = [child.stdout, child.stderr].flatMap((output) =>
      output === null ? [] : this.#endMisuse(readLines(output, this.#onLine)),
    )
    void this.#endMisuse(this.#channel.read((message) => this.#onMessage(message)))
    void this.#awaitEnd(pings, reading)
  }

  send(message: AgentMessage): Promise<void> {
    return this.#channel.send(message)
  }

  /** Returns the broker's answer, which can be anything; undefined if none comes within a second. */
  ask(question: Question): Promise<unknown> {
    return this.#questions.ask(question, AbortSignal.timeout(ANSWER_MS))
  }

  kill(reason: string): void {
    this.#reason ??= reason
    this.#child.kill('SIGKILL')
  }

  /**
   * Ends the broker, and gives it this long to answer the requests that it has received. Resolves when the broker has ended.
   */
  async stop(timeoutMs = STOP_TIMEOUT_MS): Promise<void> {
    this.#child.kill('SIGTERM')
    const timeout = setTimeout(() => this.kill('it did not end in time'), timeoutMs)
    await this.ended
    clearTimeout(timeout)
  }

  async #awaitEnd(pings: NodeJS.Timeout, reading: readonly Promise<void>[]): Promise<void> {
    const how = await this.#exited
    // The last output may name the reason of the end.
    await Promise.race([Promise.all(reading), sleep(LAST_OUTPUT_MS, undefined, { ref: false })])
    for (const stream of this.#child.stdio) stream?.destroy()
    clearInterval(pings)
    this.#ended.resolve(this.#problem ?? this.#reason ?? how)
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

  async #onMessage(message: Message): Promise<void> {
    this.#unanswered = 0
    switch (message.type) {
      case 'answer':
        this.#questions.onAnswer(message)
        break
      case 'invalid':
        this.#problem = cut(message.problem)
        break
      case 'ready':
        this.#ready.resolve()
        break
      case 'pod':
        this.pods.onAnswer(message)
        break
      case 'ask': {
        const answering = this.#sendAnswer(message.id, message.question)
        // A connection may take seconds, so it is not awaited. The number of connections is limited.
        if (message.question.about === 'file') await answering
        break
      }
    }
  }

  async #sendAnswer(id: number, question: BrokerQuestion): Promise<void> {
    const answer = await (question.about === 'file'
      ? this.#readFile(question)
      : this.#connect(question))
    await this.send({ type: 'answer', id, answer })
  }

  async #readFile({ uid, path }: { uid: string; path: string }): Promise<FileResult> {
    const pod = this.pods.find(uid)
    return pod === undefined ? { code: 'ENOENT' } : this.#options.readFile(pod, path)
  }

  async #connect(to: Peer): Promise<ConnectionAnswer> {
    try {
      return { socket: await this.#channel.sendSocket(await this.#options.openConnection(to)) }
    } catch (error) {
      if (error instanceof ConnectError) return { failure: error.failure }
      const { code, problem, fix } = toBrokerError(error)
      return { error: { code, problem, fix } }
    }
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
