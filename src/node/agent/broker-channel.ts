/** The channel between the agent and a broker. The agent reads no more of it than it allows, whatever the broker sends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { Socket } from 'node:net'
import { parseJson } from '../../lib/json.ts'
import { createToolEnv } from '../../redirect/run-tool.ts'
import { type AgentMessage, BrokerMessage } from '../broker/messages.ts'
import { Misuse, readLines } from './broker-lines.ts'
import { HELPER } from './helper.ts'
import type { ListeningSocket } from './open-socket.ts'

/** The broker's descriptor of the channel, which Node there takes from the environment. */
const CHANNEL = 3
export const CHANNEL_ENV = {
  NODE_CHANNEL_FD: `${CHANNEL}`,
  NODE_CHANNEL_SERIALIZATION_MODE: 'json',
}

const SEND_SOCKET_TIMEOUT_MS = 10_000

/** Handles a message and the length of its line in characters. Returns true if the agent has asked for it. */
type OnMessage = (message: BrokerMessage, chars: number) => unknown

/**
 * Sends and receives messages. A message is handled before the next one is read, so a broker that sends too fast waits in
 * the kernel. Descriptors that a broker sends are closed by the kernel, since they are not received.
 */
export class BrokerChannel {
  readonly #stream: Socket
  /** Resolves when all that was to be sent is sent: a message must not come into the middle of another one. */
  #sent: Promise<unknown> = Promise.resolve()

  constructor({ stdio }: ChildProcess) {
    const stream: unknown = stdio[CHANNEL]
    if (!(stream instanceof Socket)) throw new Error('the broker has no channel')
    // The end of the broker is reported.
    stream.on('error', () => {})
    this.#stream = stream
  }

  /** Resolves when the message is sent, or the channel has ended. */
  async send(message: AgentMessage): Promise<void> {
    const line = `${JSON.stringify(message)}\n`
    // An error is the end of the broker, too.
    await this.#enqueue(() => new Promise((resolve) => this.#stream.write(line, () => resolve())))
  }

  /** Sends the message with the socket. Throws if that fails. */
  async sendSocket(message: AgentMessage, socket: ListeningSocket): Promise<void> {
    await this.#enqueue(() => this.#runHelper(message, socket))
  }

  /**
   * Passes on the messages until the channel ends. Returns how the broker misused it: by too long messages, too many, or
   * unknown ones; undefined if the broker has ended.
   */
  read(onMessage: OnMessage): Promise<string | undefined> {
    return readLines(this.#stream, async (line) => {
      const { data: message } = BrokerMessage.safeParse(parseJson(line))
      if (message !== undefined) return onMessage(message, line.length)
      // Node's receipt for a socket.
      if (/"cmd":"NODE_HANDLE_/.test(line.slice(0, 64))) return false
      throw new Misuse('it sent a message of no known type')
    })
  }

  #enqueue(step: () => Promise<void>): Promise<void> {
    const done = this.#sent.then(step)
    this.#sent = done.catch(() => {})
    return done
  }

  #runHelper(message: AgentMessage, socket: ListeningSocket): Promise<void> {
    const text = { cmd: 'NODE_HANDLE', type: 'net.Native', msg: message }
    return new Promise((resolve, reject) => {
      const fds = [this.#stream, socket].map(findDescriptor)
      const child = spawn(HELPER, ['send-socket', '3', '4'], {
        env: createToolEnv(process.env['PATH']),
        timeout: SEND_SOCKET_TIMEOUT_MS,
        stdio: ['pipe', 'ignore', 'inherit', ...fds],
      })
      child.on('error', reject)
      child.on('close', (code) => {
        if (code === 0) resolve()
        else reject(new Error('the socket of a pod could not be sent to its broker'))
      })
      child.stdin?.on('error', () => {})
      child.stdin?.end(`${JSON.stringify(text)}\n`)
    })
  }
}

/** Returns the descriptor of a stream or handle, which Node's types do not have. */
function findDescriptor(value: object): number {
  const owner: unknown = Reflect.get(value, '_handle') ?? value
  const fd: unknown = typeof owner === 'object' && owner !== null && Reflect.get(owner, 'fd')
  if (typeof fd !== 'number' || fd < 0) throw new Error('the socket is closed')
  return fd
}
