/** The broker's side of the channels to the agent: messages, and sockets by Node's own channel. */
import { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { Connect } from '../../lib/connect.ts'
import { ConnectError } from '../../lib/connect-error.ts'
import { untilAborted } from '../../lib/deadline.ts'
import { BrokerError } from '../../lib/errors.ts'
import { createSystemError } from '../../lib/files.ts'
import { parseJson } from '../../lib/json.ts'
import {
  AgentMessage,
  type BrokerMessage,
  type BrokerQuestion,
  ConnectionAnswer,
  FileAnswer,
  isSmall,
  SocketMessage,
} from './messages.ts'
import { Questions } from './questions.ts'

/** A message that the channel does not handle itself. */
export type Message = Exclude<AgentMessage, { type: 'answer' }>

/** The descriptor of the channel for messages. */
const MESSAGES = 4

export class AgentChannel {
  readonly #stream = new Socket({ fd: MESSAGES, readable: true, writable: true })
  readonly #sockets = new Map<number, unknown>()
  readonly #questions = new Questions<BrokerQuestion>((message) => void this.send(message))

  constructor() {
    // The other channel reports the end of the agent.
    this.#stream.on('error', () => {})
  }

  /** Passes on all messages except answers to questions. Calls `onError` with each error of a handler. */
  read(onMessage: (message: Message) => void, onError: (error: unknown) => void): void {
    const handle = (run: () => void) => {
      try {
        run()
      } catch (error) {
        onError(error)
      }
    }
    const lines = createInterface({ input: this.#stream })
    // readline emits the errors of the stream again.
    lines.on('error', () => {})
    lines.on('line', (line) =>
      handle(() => {
        const message = AgentMessage.parse(parseJson(line))
        if (message.type === 'answer') this.#questions.onAnswer(message)
        else onMessage(message)
      }),
    )
    process.on('message', (message: unknown, received: unknown) =>
      handle(() => {
        const { socket } = SocketMessage.parse(message)
        // A connection may be reset before the answer names it, which would end the process.
        if (received instanceof Socket) received.on('error', () => {})
        this.#sockets.set(socket, received)
        void this.send({ type: 'received', socket })
      }),
    )
  }

  /** Resolves when the message is sent, or sending has failed. Sends an empty answer in place of one that is too large. */
  send(message: BrokerMessage): Promise<void> {
    const line = JSON.stringify(message)
    const fitting = isSmall(line) ? line : JSON.stringify({ ...message, answer: undefined })
    return new Promise((resolve) => this.#stream.write(`${fitting}\n`, () => resolve()))
  }

  /** Returns the socket that came with this number, and forgets it. */
  takeSocket(number: number): unknown {
    const socket = this.#sockets.get(number)
    this.#sockets.delete(number)
    return socket
  }

  /** Reads a file by its path in the pod's gate. Throws the system error that the agent got. */
  async readFile(uid: string, path: string): Promise<string> {
    const answer = await this.#questions.ask({ about: 'file', uid, path })
    const { text, code = 'EIO' } = FileAnswer.safeParse(answer).data ?? {}
    if (text === undefined)
      throw createSystemError(code, `the node agent got ${code} in the volumes of the gate`, path)
    return text
  }

  /** Asks the agent for a connection: a broker has no network. Throws the error that the agent got. */
  readonly connect: Connect = (to, signal) => {
    const asked = this.#questions
      .ask({ about: 'connection', ...to })
      .then((answer) => this.#takeConnection(answer))
    // The agent sends the connection even if nobody waits for it any more.
    asked.then(
      (socket) => signal.aborted && socket.destroy(),
      () => {},
    )
    return untilAborted(asked, signal)
  }

  #takeConnection(answer: unknown): Socket {
    const { socket: number, failure, error } = ConnectionAnswer.parse(answer)
    if (failure !== undefined) throw new ConnectError(failure)
    if (error !== undefined) throw new BrokerError(error.code, error.problem, { fix: error.fix })
    const socket = number === undefined ? undefined : this.takeSocket(number)
    if (!(socket instanceof Socket)) throw new Error('a connection came without its socket')
    // A TLS handshake on it would wait until its time limit.
    if (!socket.writable) {
      throw socket.errored ?? Object.assign(new Error('it was closed'), { code: 'ECONNRESET' })
    }
    return socket
  }

  /** Ends the channels. */
  close(): void {
    this.#stream.destroy()
    if (process.connected) process.disconnect()
  }
}
