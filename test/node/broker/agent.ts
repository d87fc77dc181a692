/** The broker as a child process, and this process in the place of the node agent: it opens sockets and reads files. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { BrokerChannel, type Message } from '../../../src/node/agent/broker-channel.ts'
import { ConnectError, type Peer } from '../../../src/lib/connect-error.ts'
import { createConnections, type OpenConnection } from '../../../src/node/agent/connections.ts'
import type {
  PodMessage,
  Question,
  ServedPod,
  TokenKey,
} from '../../../src/node/broker/messages.ts'
import { Questions } from '../../../src/node/broker/questions.ts'
import { waitFor } from '../../fixtures/connection.ts'

const CLI = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url))

/** Returns the text of a file of a pod; undefined if it has none. */
export type ReadFile = (pod: ServedPod, path: string) => string | undefined

/** A listening socket that no process accepts connections of, unless it is sent to one. */
interface RawSocket {
  readonly handle: object
  readonly port: number
  /** The target of its descriptor, the same in every process that has it. */
  readonly link: string
}

interface TcpHandle {
  readonly fd: number
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
  const link = readlinkSync(`/proc/self/fd/${handle.fd}`)
  return { handle, port: name.port ?? 0, link, close: () => handle.close() }
}

export class TestAgent implements AsyncDisposable {
  readonly #env: Readonly<Record<string, string>>
  readonly #readFile: ReadFile
  readonly #pods = new Map<string, { pod: ServedPod; socket: ReturnType<typeof openSocket> }>()
  readonly #broker: ChildProcess
  readonly #channel: BrokerChannel
  /** A broker that starts takes no socket in time. */
  readonly #ready = Promise.withResolvers<void>()
  #open: OpenConnection | undefined
  readonly #questions = new Questions<Question>((message) => void this.#channel.send(message))
  /** The messages of the broker about its pods. */
  readonly messages: PodMessage[] = []
  /** The broker's problem of invalid settings of the node. */
  invalid = ''
  /** Called when the broker has a connection, before it is told so. */
  onConnected = async (): Promise<void> => {}
  /** The log of the broker. */
  readonly log: Record<string, unknown>[] = []

  constructor(env: Readonly<Record<string, string>>, readFile: ReadFile) {
    this.#env = env
    this.#readFile = readFile
    this.#broker = this.#start()
    this.#channel = this.#read(this.#broker)
  }

  get pid(): number {
    return this.#broker.pid ?? 0
  }

  /** Sends the pod with a new socket, and returns its port once the broker serves it. */
  async serve(pod: ServedPod): Promise<number> {
    const { port } = this.send(pod)
    await this.until(({ state, uid }) => state === 'serving' && uid === pod.uid)
    return port
  }

  /** Sends the pod with a new socket. */
  send(pod: ServedPod, keys?: TokenKey[]): RawSocket {
    this.#pods.get(pod.uid)?.socket.close()
    const socket = openSocket()
    this.#pods.set(pod.uid, { pod, socket })
    this.messages.splice(0, Infinity, ...this.messages.filter(({ uid }) => uid !== pod.uid))
    void this.#sendPod(pod, socket.handle, keys)
    return socket
  }

  /** Lets the broker listen without the tokens that it fetches. */
  listen(): void {
    void this.#channel.send({ type: 'listen' })
  }

  /** Waits for a message that has come or will come. */
  async until(matches: (message: PodMessage) => boolean) {
    return waitFor(() => this.messages.find(matches))
  }

  closePod(uid: string): void {
    this.#pods.get(uid)?.socket.close()
    this.#pods.delete(uid)
    void this.#channel.send({ type: 'close', uid })
  }

  /** Returns the broker's answer. */
  ask(question: Question): Promise<unknown> {
    return this.#questions.ask(question)
  }

  /** Waits for the end of the broker. Returns its exit code. */
  async ended(): Promise<number | null> {
    if (this.#broker.exitCode === null) await once(this.#broker, 'exit')
    return this.#broker.exitCode
  }

  /** Ends the broker by a signal, or by closing a channel, of which it reads questions still. Returns its exit code. */
  async stop(how: 'signal' | 'sockets' | 'messages'): Promise<number | null> {
    const ended = once(this.#broker, 'exit')
    if (how === 'signal') this.#broker.kill('SIGTERM')
    else if (how === 'sockets') this.#broker.disconnect()
    else {
      process.kill(this.pid, 'SIGSTOP')
      for (let count = 0; count < 100; count += 1) void this.ask({ about: 'ping' })
      await this.#channel.send({ type: 'ask', id: -1, question: { about: 'ping' } })
      this.#broker.stdio[4]?.destroy()
      process.kill(this.pid, 'SIGCONT')
    }
    await ended
    return this.#broker.exitCode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#broker.exitCode === null && this.#broker.signalCode === null) {
      this.#broker.kill('SIGKILL')
      await once(this.#broker, 'exit')
    }
    for (const { socket } of this.#pods.values()) socket.close()
    this.#pods.clear()
  }

  #start(): ChildProcess {
    // The proxy is the agent's.
    const { HTTPS_PROXY: _, ...env } = this.#env
    const broker = spawn(process.execPath, [CLI, 'node-broker'], {
      env: { NODE_NO_WARNINGS: '1', ...env },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc', 'pipe'],
    })
    if (broker.stdout !== null) {
      createInterface(broker.stdout).on('line', (line) => this.log.push(JSON.parse(line)))
    }
    return broker
  }

  #read(broker: ChildProcess): BrokerChannel {
    const channel = new BrokerChannel(broker)
    void channel.read((message) => this.#onMessage(channel, message))
    return channel
  }

  async #sendPod(pod: ServedPod, handle: object, keys?: TokenKey[]): Promise<void> {
    const channel = this.#channel
    await this.#ready.promise
    const socket = await channel.sendSocket(toSendable(handle)).catch(() => undefined)
    if (socket !== undefined) await channel.send({ type: 'serve', socket, pod, keys })
  }

  async #connect(channel: BrokerChannel, id: number, to: Peer): Promise<void> {
    this.#open ??= createConnections(this.#env)()
    const answer = await this.#open(to)
      .then(async (socket) => {
        const number = await channel.sendSocket(socket)
        await this.onConnected()
        return { socket: number }
      })
      .catch((error: unknown) =>
        error instanceof ConnectError
          ? { failure: error.failure }
          : { error: { code: 'entra_unreachable', problem: String(error) } },
      )
    void channel.send({ type: 'answer', id, answer })
  }

  #onMessage(channel: BrokerChannel, message: Message): void {
    if (message.type === 'invalid') this.invalid = message.problem
    else if (message.type === 'ready') this.#ready.resolve()
    else if (message.type === 'answer') this.#questions.onAnswer(message)
    else if (message.type === 'pod') this.messages.push(message)
    else if (message.type === 'ask' && message.question.about === 'connection') {
      void this.#connect(channel, message.id, message.question)
    } else if (message.type === 'ask' && message.question.about === 'file') {
      const { uid, path } = message.question
      const pod = this.#pods.get(uid)?.pod
      const text = pod && this.#readFile(pod, path)
      const answer = text === undefined ? { code: 'ENOENT' } : { text }
      void channel.send({ type: 'answer', id: message.id, answer })
    }
  }
}

/** A raw handle can be sent, which the types do not know. */
// oxlint-disable-next-line no-unsafe-type-assertion -- as above
const toSendable = (handle: object) => handle as never
