/** The connection between an agent and its successor. It tells which tokens the brokers hold, and when the agent ends. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, renameSync } from 'node:fs'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { errorCode } from '../../lib/describe-error.ts'
import { parseJson } from '../../lib/json.ts'
import { KeysAnswer, type TokenKey } from '../broker/messages.ts'
import type { Brokers } from './brokers.ts'
import type { BrokerList } from './namespace-broker.ts'

interface SuccessionOptions {
  readonly stateDirectory: string
  /** The brokers of this agent. A successor gets the keys of their tokens. */
  readonly brokers: BrokerList & Pick<Brokers, 'listen'>
  readonly onError: (error: unknown) => void
}

const SOCKET = 'agent.sock'
/** The time limit for the predecessor's answer. Its brokers have a second for theirs. */
const ANSWER_MS = 5000
/** The longest time that a successor waits for tokens. A tenant can keep its broker fetching, by too many requests. */
export const MAX_WAIT_MS = 5 * 60_000

/**
 * A Unix socket in the state directory. The agent that serves the node listens there, and answers a connection with a line of
 * keys. The successor keeps the connection open: the kernel closes it when the predecessor ends, even after a crash. The tokens
 * themselves are not sent.
 */
export class Succession {
  readonly #options: SuccessionOptions
  readonly #path: string
  readonly #successors = new Set<Socket>()
  #predecessor: Socket | undefined
  #server: Server | undefined
  /** The keys of the tokens of the predecessor, by pod; undefined while this agent waits for none. */
  #keys: Map<string, TokenKey[]> | undefined
  #timeout: NodeJS.Timeout | undefined
  /** Successors get no answer before this resolves. */
  #answerAfter = Promise.resolve()

  constructor(options: SuccessionOptions) {
    this.#options = options
    this.#path = join(options.stateDirectory, SOCKET)
  }

  /** True while the predecessor serves the pods whose tokens this agent does not hold yet. */
  get isWaiting(): boolean {
    return this.#keys !== undefined
  }

  /** True while the earlier agent of the node runs. Until its end, a new socket need not listen before a broker has it. */
  get hasPredecessor(): boolean {
    return this.#predecessor !== undefined
  }

  /** Returns the keys of the tokens to fetch before a broker listens for the pod; undefined if the broker need not wait. */
  keysOf(uid: string): TokenKey[] | undefined {
    return this.#keys?.get(uid)
  }

  /**
   * Finds the predecessor, or listens for a successor if there is none. The brokers listen for all pods when the predecessor has
   * ended.
   */
  async start(): Promise<void> {
    const predecessor = createConnection(this.#path)
    try {
      await once(predecessor, 'connect')
    } catch (error) {
      if (!['ENOENT', 'ECONNREFUSED'].includes(errorCode(error) ?? '')) this.#options.onError(error)
      await this.#listen()
      return
    }
    // `close` reports its end.
    predecessor.on('error', () => {})
    predecessor.once('close', () => this.#onEnd())
    this.#predecessor = predecessor
    this.#keys = new Map()
    this.#timeout = setTimeout(() => this.#release(), MAX_WAIT_MS)
    const line = await Promise.race([
      once(createInterface(predecessor), 'line', { signal: AbortSignal.timeout(ANSWER_MS) }),
      once(predecessor, 'close'),
    ]).catch(() => [])
    const { data = [] } = KeysAnswer.safeParse(parseJson(String(line[0] ?? '')))
    if (!this.isWaiting) return
    this.#keys = new Map(data.flatMap(({ uids, keys }) => uids.map((uid) => [uid, keys])))
  }

  /** True while another agent of the node runs. */
  get hasOther(): boolean {
    return this.hasPredecessor || this.#successors.size > 0
  }

  /** Does the work. A successor that connects before its end gets its answer afterwards: its routes have to come later. */
  async answerAfter(work: () => Promise<void>): Promise<void> {
    this.#answerAfter = work()
    await this.#answerAfter
  }

  /** Tells a successor that this agent ends. Returns whether another agent of the node runs. */
  close(): boolean {
    const { hasOther } = this
    this.#predecessor?.removeAllListeners('close').destroy()
    clearTimeout(this.#timeout)
    this.#server?.close()
    for (const successor of this.#successors) successor.destroy()
    return hasOther
  }

  #onEnd(): void {
    this.#predecessor = undefined
    this.#release()
    void this.#listen()
  }

  #release(): void {
    clearTimeout(this.#timeout)
    if (!this.isWaiting) return
    this.#keys = undefined
    this.#options.brokers.listen()
  }

  /**
   * Listens for a successor. Reports a failure. Binds a unique name, and then renames the file: at its end Node removes the
   * bound name only, so an agent never removes the socket of another agent. The rename replaces the file of an agent that was
   * killed.
   */
  async #listen(): Promise<void> {
    const { brokers, onError } = this.#options
    const onSuccessor = (successor: Socket) => {
      this.#successors.add(successor)
      successor.once('close', () => this.#successors.delete(successor))
      successor.on('error', () => {})
      void Promise.all([readKeys(brokers), this.#answerAfter]).then(([keys]) =>
        successor.write(`${JSON.stringify(keys)}\n`),
      )
    }
    // In containers the agents of a node have the same process identifier.
    const own = `${this.#path}.${randomUUID().slice(0, 8)}`
    const server = createServer(onSuccessor)
    this.#server = server
    try {
      await once(server.listen(own), 'listening')
      server.on('error', onError)
      chmodSync(own, 0o600)
      renameSync(own, this.#path)
    } catch (error) {
      server.close()
      onError(error)
    }
  }
}

/** Returns the keys of the tokens that the brokers hold for their own pods. */
async function readKeys(brokers: BrokerList): Promise<KeysAnswer> {
  const answers = brokers.all().map(async (broker) => {
    const { data = [] } = KeysAnswer.safeParse(await broker.ask({ about: 'keys' }))
    const own = new Set(broker.pods.map(({ uid }) => uid))
    return data.map(({ uids, keys }) => ({ uids: uids.filter((uid) => own.has(uid)), keys }))
  })
  return (await Promise.all(answers)).flat()
}
