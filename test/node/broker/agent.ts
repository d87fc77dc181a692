/** The broker as a child process, and this process in the place of the node agent: it opens sockets and reads files. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import {
  BrokerMessage,
  type Question,
  type ServedPod,
  type TokenKey,
} from '../../../src/node/broker/messages.ts'
import { waitFor } from '../../fixtures/connection.ts'

const CLI = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url))

/** Returns the text of a file of a pod; undefined if it has none. */
export type ReadFile = (pod: ServedPod, path: string) => string | undefined

/** A listening socket that no process accepts connections of, unless it is sent to one. */
interface RawSocket {
  readonly handle: object
  readonly port: number
}

interface TcpHandle {
  readonly bind: (address: string, port: number) => number
  readonly getsockname: (out: { port?: number }) => number
  readonly close: () => void
}

const TcpWrap = z.object({
  TCP: z.custom<new (type: number) => TcpHandle>(),
  constants: z.object({ SERVER: z.number() }),
})
/** Node's own binding: a `net.Server` would accept the connections itself. */
const { TCP, constants } = TcpWrap.parse(Reflect.get(process, 'binding').call(process, 'tcp_wrap'))

function openSocket(): RawSocket & { readonly close: () => void } {
  const handle = new TCP(constants.SERVER)
  const name: { port?: number } = {}
  if (handle.bind('127.0.0.1', 0) !== 0 || handle.getsockname(name) !== 0) {
    throw new Error('cannot bind a socket')
  }
  return { handle, port: name.port ?? 0, close: () => handle.close() }
}

export class TestAgent implements AsyncDisposable {
  readonly #env: Readonly<Record<string, string>>
  readonly #readFile: ReadFile
  readonly #pods = new Map<string, { pod: ServedPod; socket: ReturnType<typeof openSocket> }>()
  #broker: ChildProcess
  readonly #answers: Extract<BrokerMessage, { type: 'answer' }>[] = []
  #lastId = 0
  /** The messages of the broker about its pods. */
  readonly messages: PodMessage[] = []
  /** What it says of settings of the node that are invalid. */
  invalid = ''
  /** The log of the broker. */
  readonly log: Record<string, unknown>[] = []

  constructor(env: Readonly<Record<string, string>>, readFile: ReadFile) {
    this.#env = env
    this.#readFile = readFile
    this.#broker = this.#start()
  }

  get pid(): number {
    return this.#broker.pid ?? 0
  }

  /** Sends the pod with a new socket, and returns its port once the broker serves it. */
  async serve(pod: ServedPod): Promise<number> {
    const { port } = this.send(pod)
    await this.until(({ type, ...rest }) => type === 'serving' && rest.uid === pod.uid)
    return port
  }

  /** Sends the pod with a new socket. */
  send(pod: ServedPod, keys?: TokenKey[]): RawSocket {
    this.#pods.get(pod.uid)?.socket.close()
    const socket = openSocket()
    this.#pods.set(pod.uid, { pod, socket })
    this.messages.splice(0, Infinity, ...this.messages.filter((each) => !isOf(each, pod.uid)))
    this.#broker.send({ type: 'serve', pod, keys }, toSendable(socket.handle))
    return socket
  }

  /** Lets the broker listen without the tokens that it fetches. */
  listen(): void {
    this.#broker.send({ type: 'listen' })
  }

  /** Waits for a message that has come or will come. */
  async until(matches: (message: PodMessage) => boolean) {
    return waitFor(() => this.messages.find(matches))
  }

  closePod(uid: string): void {
    this.#pods.get(uid)?.socket.close()
    this.#pods.delete(uid)
    this.#broker.send({ type: 'close', uid })
  }

  /** Kills the broker, starts another one, and sends it every pod with its old socket. */
  async restart(): Promise<void> {
    this.#broker.kill('SIGKILL')
    await once(this.#broker, 'close')
    this.messages.length = 0
    this.#broker = this.#start()
    for (const { pod, socket } of this.#pods.values()) {
      this.#broker.send({ type: 'serve', pod }, toSendable(socket.handle))
    }
  }

  /** Returns the broker's answer. */
  async ask(question: Question): Promise<unknown> {
    const id = (this.#lastId += 1)
    this.#broker.send({ type: 'ask', id, question })
    await waitFor(() => this.#answers.find((each) => each.id === id && each.isLast))
    const parts = this.#answers.filter((each) => each.id === id)
    return JSON.parse(parts.map(({ text }) => text).join(''))
  }

  /** Waits for the end of the broker. Returns its exit code. */
  async ended(): Promise<number | null> {
    if (this.#broker.exitCode === null) await once(this.#broker, 'exit')
    return this.#broker.exitCode
  }

  /** Ends the broker by a signal, or by closing its channel. Returns its exit code. */
  async stop(how: 'signal' | 'channel'): Promise<number | null> {
    const ended = once(this.#broker, 'exit')
    if (how === 'signal') this.#broker.kill('SIGTERM')
    else this.#broker.disconnect()
    await ended
    return this.#broker.exitCode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#broker.exitCode === null && this.#broker.signalCode === null) {
      this.#broker.kill('SIGKILL')
      await once(this.#broker, 'close')
    }
    for (const { socket } of this.#pods.values()) socket.close()
    this.#pods.clear()
  }

  #start(): ChildProcess {
    const broker = spawn(process.execPath, [CLI, 'node-broker'], {
      env: { NODE_NO_WARNINGS: '1', ...this.#env },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      serialization: 'json',
    })
    broker.on('message', (message) => this.#onMessage(broker, BrokerMessage.parse(message)))
    if (broker.stdout !== null) {
      createInterface(broker.stdout).on('line', (line) => this.log.push(JSON.parse(line)))
    }
    return broker
  }

  #onMessage(broker: ChildProcess, message: BrokerMessage): void {
    if (message.type === 'ready' || message.type === 'pong') return
    if (message.type === 'invalid') {
      this.invalid = message.problem
      return
    }
    if (message.type === 'answer') {
      this.#answers.push(message)
      return
    }
    if (message.type !== 'read') {
      this.messages.push(message)
      return
    }
    const { id, uid, path } = message
    const pod = this.#pods.get(uid)?.pod
    const text = pod && this.#readFile(pod, path)
    if (!broker.connected) return
    broker.send({ type: 'file', id, ...(text === undefined ? { code: 'ENOENT' } : { text }) })
  }
}

/** A message about a pod. */
type PodMessage = Exclude<
  BrokerMessage,
  { readonly type: 'ready' | 'pong' | 'invalid' | 'answer' | 'read' }
>

const isOf = (message: PodMessage, uid: string) => message.uid === uid

/** A raw handle can be sent, which the types do not know. */
// oxlint-disable-next-line no-unsafe-type-assertion -- as above
const toSendable = (handle: object) => handle as never
