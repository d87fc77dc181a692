/**
 * The two channels between the agent and a broker. One carries messages, and the agent limits how much of it it reads. The
 * other is Node's own, for sockets: the agent only writes to it.
 */
import type { ChildProcess, SendHandle } from 'node:child_process'
import { Socket } from 'node:net'
import { parseJson } from '../../lib/json.ts'
import { type AgentMessage, BrokerMessage, isSmall } from '../broker/messages.ts'
import { Misuse, readLines } from './broker-lines.ts'

/** The broker's descriptor of the channel for messages. */
const MESSAGES = 4
const RECEIVE_TIMEOUT_MS = 5000
/** The agent ends a broker that leaves more unread. A file of 128 KiB may take six times as many bytes in JSON. */
const MAX_UNREAD_BYTES = 2 * 1024 * 1024

/** A message that the channel does not handle itself. */
export type Message = Exclude<BrokerMessage, { type: 'received' }>

/**
 * Sends and receives messages. The agent handles a message before it reads the next one, so the kernel blocks a broker that
 * sends too fast. The agent ends a broker that does not read.
 */
export class BrokerChannel {
  readonly #child: ChildProcess
  readonly #stream: Socket
  /** Resolves when the broker has all sockets that were sent. */
  #sent: Promise<unknown> = Promise.resolve()
  #lastSocket = 0
  #inFlight: { readonly socket: number; readonly resolve: () => void } | undefined

  constructor(child: ChildProcess) {
    const stream: unknown = child.stdio[MESSAGES]
    if (!(stream instanceof Socket)) throw new Error('the broker has no channel')
    // BrokerProcess reports the end of the broker.
    stream.on('error', () => {})
    stream.once('close', () => child.connected && child.disconnect())
    stopReading(findChannel(child))
    this.#child = child
    this.#stream = stream
  }

  /** Resolves when the message is sent, or the channel has ended. */
  async send(message: AgentMessage): Promise<void> {
    if (this.#stream.writableLength > MAX_UNREAD_BYTES) {
      this.#stream.destroy(new Misuse('it does not read what it is sent'))
    }
    if (this.#stream.destroyed) return
    // An error means that the broker has ended.
    await new Promise<void>((resolve) =>
      this.#stream.write(`${JSON.stringify(message)}\n`, () => resolve()),
    )
  }

  /**
   * Sends a socket. Resolves when the broker has the socket, with the number by which messages name it. Throws an error if the
   * broker has ended. Closes this process's copy of a connection in any case.
   */
  async sendSocket(socket: SendHandle): Promise<number> {
    const isConnection = socket instanceof Socket
    // Stops at once: what Node reads while the connection waits for its turn would be lost for the broker, and a reset would
    // end this process.
    if (isConnection) stopReading(Reflect.get(socket, '_handle'))
    const sent = this.#sent.then(() => this.#sendNow(socket))
    this.#sent = sent.catch(() => {})
    return sent.finally(() => isConnection && socket.destroy())
  }

  /**
   * Passes on the messages until the channel ends. Returns how the broker misused the channel, such as by a message that is too
   * large; undefined if the broker has ended.
   */
  read(onMessage: (message: Message) => unknown): Promise<string | undefined> {
    return readLines(this.#stream, async (line) => {
      if (!isSmall(line)) throw new Misuse('it sent a message of too many values')
      const { data: message } = BrokerMessage.safeParse(parseJson(line))
      if (message === undefined) throw new Misuse('it sent a message of an unknown type')
      if (message.type === 'received') return this.#onReceived(message.socket)
      return onMessage(message)
    })
  }

  /** Sends one socket at a time: Node in the broker keeps a single received socket until its message comes. */
  async #sendNow(socket: SendHandle): Promise<number> {
    const number = (this.#lastSocket += 1)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onClose = () => reject(new Error('the broker has ended'))
    const stream = this.#stream
    const late = `it has not taken a socket within ${RECEIVE_TIMEOUT_MS / 1000} s`
    const timeout = setTimeout(() => stream.destroy(new Misuse(late)), RECEIVE_TIMEOUT_MS)
    this.#inFlight = { socket: number, resolve }
    stream.once('close', onClose)
    const onSent = (error: Error | null) => error && reject(error)
    if (stream.destroyed) onClose()
    // Without `keepOpen` Node would keep the connection until the broker acknowledges it, which may never happen.
    else this.#child.send({ socket: number }, socket, { keepOpen: true }, onSent)
    try {
      await promise
      return number
    } finally {
      this.#inFlight = undefined
      clearTimeout(timeout)
      stream.off('close', onClose)
    }
  }

  #onReceived(socket: number): void {
    if (this.#inFlight?.socket !== socket)
      throw new Misuse('it acknowledged a socket that was not sent')
    // After this event Node sends the next handle.
    this.#child.emit('internalMessage', { cmd: 'NODE_HANDLE_ACK' })
    this.#inFlight.resolve()
  }
}

/**
 * Returns Node's channel, from which the agent must not read. Node would accept lines of any length
 * and descriptors, and an acknowledgement that nobody waits for would end this process.
 */
function findChannel(child: ChildProcess): unknown {
  const symbols = Object.getOwnPropertySymbols(child)
  const key = symbols.find(({ description }) => description === 'kChannelHandle')
  return key && Reflect.get(child, key)
}

/** Stops reading from a handle. The types of Node do not declare handles. */
function stopReading(handle: unknown): void {
  const stop: unknown = typeof handle === 'object' && handle && Reflect.get(handle, 'readStop')
  if (typeof stop !== 'function') throw new Error('this Node has another kind of handles')
  Reflect.apply(stop, handle, [])
}

/** Returns the file descriptor of a socket. The types of Node do not declare it. */
export function findDescriptor(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle')
  const fd: unknown = typeof handle === 'object' && handle && Reflect.get(handle, 'fd')
  if (typeof fd !== 'number' || fd < 0) throw new Error('the socket is closed')
  return fd
}
