/** The channel between the agent and a broker. The agent reads no more of it than it allows, whatever the broker sends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { Socket } from 'node:net'
import { errorMessage } from '../../lib/describe-error.ts'
import { parseJson } from '../../lib/json.ts'
import { createToolEnv } from '../../redirect/run-tool.ts'
import { type AgentMessage, BrokerMessage } from '../broker/messages.ts'
import type { ListeningSocket } from './open-socket.ts'

/** The broker's descriptor of the channel, which Node there takes from the environment. */
const CHANNEL = 3
export const CHANNEL_ENV = {
  NODE_CHANNEL_FD: `${CHANNEL}`,
  NODE_CHANNEL_SERIALIZATION_MODE: 'json',
}

/** The longest message of a broker: it divides long answers. */
const MAX_MESSAGE_BYTES = 256 * 1024
/** A broker may send so many messages at once and so many in a second. Each KiB, and each read of the channel, counts as one. */
const BURST = 8192
const MESSAGES_PER_SECOND = 400
const MAX_PARTS = 256
const SEND_SOCKET_TIMEOUT_MS = 10_000

/** A broker has sent what no broker sends, or what could not be handled. */
class ChannelError extends Error {}

/**
 * Sends and receives messages. A message is handled before the next one is read, so a broker that sends too fast waits in
 * the kernel. Descriptors that a broker sends are closed by the kernel, since they are not received.
 */
export class BrokerChannel {
  readonly #stream: Socket
  readonly #helper: string
  /** Resolves when all that was to be sent is sent: a message must not come into the middle of another one. */
  #sent: Promise<unknown> = Promise.resolve()

  /** `helper` is the program that sends sockets. */
  constructor({ stdio }: ChildProcess, helper: string) {
    const stream: unknown = stdio[CHANNEL]
    if (!(stream instanceof Socket)) throw new Error('the broker has no channel')
    // The end of the broker is reported.
    stream.on('error', () => {})
    this.#stream = stream
    this.#helper = helper
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
   * Passes on the messages until the channel ends. Returns what no broker sends: too long messages, too many, or unknown
   * ones; undefined if the broker has ended.
   */
  async read(
    onMessage: (message: BrokerMessage) => void | Promise<void>,
  ): Promise<string | undefined> {
    try {
      await this.#readAll(onMessage)
    } catch (error) {
      // Others are of the stream, whose end is the end of the broker.
      return error instanceof ChannelError ? error.message : undefined
    }
    return undefined
  }

  async #readAll(onMessage: (message: BrokerMessage) => void | Promise<void>): Promise<void> {
    for await (const line of readLines(this.#stream, createAllowance())) {
      const value = parseJson(line.toString())
      const { data: message } = BrokerMessage.safeParse(value)
      if (message !== undefined) await handle(message, onMessage)
      // Node's receipt for a socket.
      else if (!/"cmd":"NODE_HANDLE_/.test(line.toString('utf8', 0, 64))) {
        throw new ChannelError('it sent a message of no known type')
      }
    }
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
      const child = spawn(this.#helper, ['send-socket', '3', '4'], {
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

/** Calls the handler. Throws a `ChannelError` with the reason if that fails. */
async function handle(
  message: BrokerMessage,
  onMessage: (message: BrokerMessage) => void | Promise<void>,
): Promise<void> {
  try {
    await onMessage(message)
  } catch (error) {
    throw new ChannelError(
      `its message ${message.type} could not be handled: ${errorMessage(error)}`,
      {
        cause: error,
      },
    )
  }
}

/** Returns the lines of the stream, without their ends. Throws for one that is too long, or if `allow` throws. */
async function* readLines(
  stream: AsyncIterable<Buffer>,
  allow: (count: number) => void,
): AsyncGenerator<Buffer> {
  let parts: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    allow(1 + chunk.length / 1024)
    let start = 0
    for (let end = chunk.indexOf('\n'); end !== -1; end = chunk.indexOf('\n', start)) {
      allow(1)
      yield Buffer.concat([...parts, chunk.subarray(start, end)])
      parts = []
      size = 0
      start = end + 1
    }
    parts.push(chunk.subarray(start))
    size += chunk.length - start
    // Parts of a byte would take hundreds of bytes each.
    if (parts.length === MAX_PARTS) parts = [Buffer.concat(parts)]
    if (size > MAX_MESSAGE_BYTES) {
      throw new ChannelError(`it sent a message of more than ${MAX_MESSAGE_BYTES} bytes`)
    }
  }
}

/** Creates the function that counts messages, and throws for one too many. */
function createAllowance(): (count: number) => void {
  let left = BURST
  let countedAt = performance.now()
  return (count) => {
    const now = performance.now()
    left = Math.min(BURST, left + ((now - countedAt) / 1000) * MESSAGES_PER_SECOND) - count
    countedAt = now
    if (left < 0) {
      throw new ChannelError(`it sent more than ${MESSAGES_PER_SECOND} messages or KiB a second`)
    }
  }
}

/** Returns the descriptor of a stream or handle, which Node's types do not have. */
function findDescriptor(value: object): number {
  const owner: unknown = Reflect.get(value, '_handle') ?? value
  const fd: unknown = typeof owner === 'object' && owner !== null && Reflect.get(owner, 'fd')
  if (typeof fd !== 'number' || fd < 0) throw new Error('the socket is closed')
  return fd
}
