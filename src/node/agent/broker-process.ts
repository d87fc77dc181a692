/** A broker: a child process without rights, which gets the sockets of pods and answers on them. */
import type { ChildProcess } from 'node:child_process'
import { errorMessage } from '../../lib/describe-error.ts'
import { parseJson } from '../../lib/json.ts'
import { scrubAndTruncate } from '../../lib/scrub.ts'
import type { AgentMessage, BrokerMessage, Question } from '../broker/messages.ts'
import { BrokerChannel } from './broker-channel.ts'
import { costOf, readLines } from './broker-lines.ts'
import { HELPER } from './helper.ts'
import type { ListeningSocket } from './open-socket.ts'

/** A message that its pods depend on. */
export type PodMessage = Exclude<BrokerMessage, { type: 'answer' | 'pong' | 'invalid' }>

interface BrokerProcessOptions {
  /** Handles a message of the broker. The next one is read when it is handled. */
  readonly onMessage: (message: PodMessage) => void | Promise<void>
  /** Handles a line that the broker prints. */
  readonly onLine: (line: string) => void
  /** Called once, with the reason, when the broker has ended, or could not be started. */
  readonly onEnd: (how: string) => void
  /** The time between pings, in milliseconds; only tests pass another. */
  readonly pingMs?: number | undefined
}

/** A broker that has not answered this many pings hangs. A working one needs far less time. */
const MAX_UNANSWERED_PINGS = 6
const PING_MS = 10_000
/** The time that a broker has for its last responses, within the grace period of the agent's pod. */
const STOP_TIMEOUT_MS = 15_000
const ANSWER_TIMEOUT_MS = 1000
const MAX_ANSWER_CHARS = 4 * 1024 * 1024
/** Lists, objects and their elements: the smallest take twenty times the memory of their text, a row of a page more. */
const MAX_ANSWER_VALUES = 256 * 1024

/** What the answer to a question may count in the channel: JSON writes some characters, such as a quote, as two. */
const MAX_ANSWER_COST = 2 * costOf(MAX_ANSWER_CHARS)
/** An answer may come late to one of this many last questions. */
const MAX_LATE_ANSWERS = 64

const MAX_PROBLEM_CHARS = 2000
/** How the errors of the helper begin, which becomes the broker. */
const HELPER_FAILED = `${HELPER}: `

interface Asked {
  text: string
  values: number
  readonly resolve: (answer: unknown) => void
}

export class BrokerProcess {
  readonly #child: ChildProcess
  readonly #channel: BrokerChannel
  readonly #options: BrokerProcessOptions
  readonly #asked = new Map<number, Asked>()
  /** What is left of `MAX_ANSWER_COST` by the question's id. Others, such as a scraper, decide how often the agent asks. */
  readonly #costLeft = new Map<number, number>()
  readonly #ended = Promise.withResolvers<string>()
  #lastId = 0
  #unanswered = 0
  /** What the broker, or the helper, has said about the broker's settings. */
  #problem: string | undefined
  /** Why the agent ends it. */
  #reason: string | undefined

  /** Takes a process that has just been started, with a channel. */
  constructor(child: ChildProcess, options: BrokerProcessOptions) {
    this.#child = child
    this.#options = options
    this.#channel = new BrokerChannel(child)
    const pings = setInterval(() => this.#ping(), options.pingMs ?? PING_MS)
    child.once('close', (code, killedBy) =>
      this.#ended.resolve(this.#reason ?? `it has ended with ${String(killedBy ?? code)}`),
    )
    child.on('error', (error) => {
      if (child.pid === undefined) this.#ended.resolve(errorMessage(error))
    })
    void this.#awaitEnd(pings)
    void this.#endMisuse(this.#channel.read((message, chars) => this.#onMessage(message, chars)))
    for (const output of [child.stdout, child.stderr]) {
      if (output === null) continue
      const onLine = (line: string) => {
        if (line.startsWith(HELPER_FAILED)) this.#problem = cut(line)
        options.onLine(line)
      }
      void this.#endMisuse(readLines(output, onLine))
    }
  }

  /** The process id; undefined if the process could not be started. */
  get pid(): number | undefined {
    return this.#child.pid
  }

  send(message: AgentMessage): Promise<void> {
    return this.#channel.send(message)
  }

  sendSocket(message: AgentMessage, socket: ListeningSocket): Promise<void> {
    return this.#channel.sendSocket(message, socket)
  }

  /** Returns the broker's answer, which can be anything; undefined if none comes in a second, or it is too long. */
  async ask(question: Question): Promise<unknown> {
    const id = (this.#lastId += 1)
    const { promise, resolve } = Promise.withResolvers<unknown>()
    this.#asked.set(id, { text: '', values: 0, resolve })
    this.#costLeft.set(id, MAX_ANSWER_COST)
    this.#costLeft.delete(id - MAX_LATE_ANSWERS)
    const timer = setTimeout(resolve, ANSWER_TIMEOUT_MS, undefined)
    void this.send({ type: 'ask', id, question })
    const answer = await promise
    clearTimeout(timer)
    this.#asked.delete(id)
    return answer
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

  async #awaitEnd(pings: NodeJS.Timeout): Promise<void> {
    const how = await this.#ended.promise
    clearInterval(pings)
    for (const { resolve } of this.#asked.values()) resolve(undefined)
    this.#options.onEnd(this.#problem ?? how)
  }

  async #endMisuse(reading: Promise<string | undefined>): Promise<void> {
    const misuse = await reading
    if (misuse !== undefined) this.kill(misuse)
  }

  #ping(): void {
    if (this.#unanswered === MAX_UNANSWERED_PINGS) this.kill('it did not answer')
    this.#unanswered += 1
    void this.send({ type: 'ping' })
  }

  /** Returns whether the agent has asked for the message, in a line of so many characters. */
  async #onMessage(message: BrokerMessage, chars: number): Promise<boolean> {
    this.#unanswered = 0
    if (message.type === 'answer') {
      this.#onAnswer(message)
      return this.#takeCost(message, chars)
    }
    if (message.type === 'invalid') this.#problem = cut(message.problem)
    else if (message.type !== 'pong') await this.#options.onMessage(message)
    return false
  }

  #takeCost({ id, isLast }: Extract<BrokerMessage, { type: 'answer' }>, chars: number): boolean {
    const left = (this.#costLeft.get(id) ?? 0) - costOf(chars)
    if (isLast || left < 0) this.#costLeft.delete(id)
    else this.#costLeft.set(id, left)
    return left >= 0
  }

  #onAnswer({ id, text, isLast }: Extract<BrokerMessage, { type: 'answer' }>): void {
    const asked = this.#asked.get(id)
    if (asked === undefined) return
    asked.text += text
    asked.values += text.match(/[,[{]/g)?.length ?? 0
    const isTooLong = asked.text.length > MAX_ANSWER_CHARS || asked.values > MAX_ANSWER_VALUES
    if (isTooLong) asked.resolve(undefined)
    else if (isLast) asked.resolve(parseJson(asked.text))
  }
}

/** Returns what a broker says, as far as it goes into events and logs of the agent. */
export const cut = (text: string) => scrubAndTruncate(text, MAX_PROBLEM_CHARS)
