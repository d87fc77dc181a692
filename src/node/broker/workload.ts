/** A workload: pods of one service account with the same settings, which share identities, tokens and exchanges. */
import type { Config } from '../../broker/config/config.ts'
import type { ReadText } from '../../broker/config/identities-file.ts'
import { describeSettings, type Environment } from '../../broker/config/settings.ts'
import { type AssertionReader, createAssertionReader } from '../../broker/exchange/assertion.ts'
import { type Broker, createBroker } from '../../broker/broker.ts'
import type { CreateSource } from '../../broker/exchange-stack.ts'
import { watchIdentities } from '../../broker/reload.ts'
import type { ListenForPod } from '../../broker/server/app.ts'
import type { Listener, SocketHandle } from '../../service/listen.ts'
import { createWriters, type ProcessLog } from '../../service/logger.ts'
import type { StatusDocument } from '../../broker/telemetry/status-schema.ts'
import {
  BrokerError,
  ConfigError,
  formatProblem,
  type Problem,
  toBrokerError,
} from '../../lib/errors.ts'
import { fetchTokens } from './fetch-tokens.ts'
import type { BrokerMessage, ServedPod, TokenKey } from './messages.ts'
import { loadPodConfig, type PodLimits, selectPerPodSettings } from './pod-config.ts'

/** The parts that all workloads of the broker share. */
export interface NodeParts {
  /** The settings of the node. */
  readonly env: Environment
  readonly limits: PodLimits
  /** Reads a file by its path in the gate of the pod with this uid. Throws the system error. */
  readonly readFile: (uid: string, path: string) => Promise<string>
  readonly createSource: CreateSource
  readonly listen: ListenForPod
  readonly log: ProcessLog
  readonly send: (message: BrokerMessage) => void
  /** Aborts when the broker is to serve all pods, even pods whose tokens it has not fetched yet. */
  readonly listensNow: AbortSignal
}

/** A pod and its socket. */
interface Served {
  readonly pod: ServedPod
  readonly socket: SocketHandle
  /** True if the pod waits until the tokens of the earlier agent have been fetched. */
  readonly waits: boolean
  /** Undefined until the settings are known. */
  listener?: Promise<Listener>
}

/**
 * The time between two reads of a projected token; an exchange reads it, too. Each read is a message to the agent, which takes
 * at most 400 a second from a broker. 110 pods with 3 unreadable files, which are read ten times as often, must stay below this
 * rate.
 */
const ASSERTION_POLL_MS = 20_000
/** How many pods are tried for a file before the read fails: the volumes of an ending pod may be gone. */
const MAX_READERS = 3

/**
 * Returns the key of the workload to which a pod belongs. Volumes are part of the key: a token with another audience would fail
 * the exchanges of other pods. A ConfigMap changes while pods run, so a pod with an identities file has a workload of its own.
 */
export function createWorkloadKey(pod: ServedPod): string {
  const { uid, namespace, serviceAccount, env, contents } = pod
  const settings = selectPerPodSettings(env)
  const own = settings['WIMDS_CONFIG'] === undefined ? '' : uid
  return JSON.stringify([namespace, serviceAccount, settings, contents, own])
}

export class Workload {
  readonly #node: NodeParts
  readonly #env: Environment
  readonly #log: ProcessLog
  /** The subject of the projected tokens of its pods, `system:serviceaccount:…`. */
  readonly #subject: string
  /** The pods by uid, in the order in which they came. */
  readonly pods = new Map<string, Served>()
  /** Undefined until the settings are valid. */
  broker: Broker | undefined
  /** Why no pod is served: the settings are invalid. */
  problem: string | undefined
  readonly #ended = new AbortController()
  /** The keys of the tokens that it fetches before it listens. */
  #keys: readonly TokenKey[] = []
  /** Resolves when the tokens have been fetched, or could not be. */
  #fetched: Promise<void> | undefined
  #started: Promise<void> | undefined
  #stopWatching = () => {}

  constructor({ namespace, serviceAccount, env }: ServedPod, node: NodeParts) {
    this.#subject = `system:serviceaccount:${namespace}:${serviceAccount}`
    this.#node = node
    this.#env = { ...node.env, ...selectPerPodSettings(env), WIMDS_ADMIN_LISTEN: 'off' }
    this.#log = withFields(node.log, { namespace, serviceAccount })
  }

  /** Returns the content of its status page; undefined while no pod is served. */
  document(): StatusDocument | undefined {
    return this.broker?.telemetry.document(describeSettings(this.#env))
  }

  /**
   * Serves the pod when the tokens of these keys are cached. Without `keys` the pod waits for the tokens of the workload's
   * other pods. With an empty list the pod is served at once, since its socket listens already.
   */
  add(pod: ServedPod, socket: SocketHandle, keys?: readonly TokenKey[]): void {
    const served = { pod, socket, waits: keys?.length !== 0 }
    if (keys !== undefined && keys.length > 0) this.#keys = keys
    this.pods.set(pod.uid, served)
    // The workload starts with its first pod: its identities may be in a file of that pod.
    void (this.#started ??= this.#start())
    if (this.broker !== undefined) void this.#listen(served, this.broker)
    else if (this.problem !== undefined) this.#fail(pod, this.problem)
  }

  /** Closes the socket and the connections of a pod, but a connection with a request in flight only after `timeoutMs`. */
  async remove(uid: string, timeoutMs: number): Promise<void> {
    const served = this.pods.get(uid)
    this.pods.delete(uid)
    if (served === undefined) return
    // A socket that stays open keeps the network of a deleted pod.
    if (served.listener === undefined) served.socket.close()
    else await served.listener.then(({ close }) => close(timeoutMs)).catch(() => {})
  }

  /** Ends the exchanges and forgets the tokens. */
  end(): void {
    this.#ended.abort()
    this.#stopWatching()
    this.broker?.close()
  }

  /** Loads the configuration, and watches its file. Without a file the identities cannot change. */
  async #start(): Promise<void> {
    const path = this.#env['WIMDS_CONFIG']
    let text: string | undefined
    const readText: ReadText = async (file) => (text = await this.#read(file))
    await this.#loadConfig(this.#env, readText).then(this.#applyConfig, this.#rejectConfig)
    if (path === undefined || this.#ended.signal.aborted) return
    this.#stopWatching = watchIdentities({
      file: { path, text },
      env: this.#env,
      load: this.#loadConfig,
      readText: this.#read,
      applyConfig: this.#applyConfig,
      rejectConfig: this.#rejectConfig,
    })
  }

  readonly #loadConfig = (env: Environment, readText: ReadText) =>
    loadPodConfig({ env, limits: this.#node.limits }, readText)

  readonly #applyConfig = (config: Config): void => {
    if (this.#ended.signal.aborted) return
    if (this.broker !== undefined) {
      this.broker.applyConfig(config)
      return
    }
    for (const warning of config.warnings) this.#log.warn('config_warning', { message: warning })
    const broker = createBroker({
      config,
      readAssertion: this.#createAssertionReader(config.exchange.audience),
      pollMs: ASSERTION_POLL_MS,
      createSource: this.#node.createSource,
      log: this.#log,
    })
    this.broker = broker
    this.problem = undefined
    void broker.watchAssertions()
    void broker.prefetch()
    for (const served of this.pods.values()) void this.#listen(served, broker)
  }

  readonly #rejectConfig = (error: unknown): void => {
    if (this.broker !== undefined) {
      this.broker.rejectConfig(error)
      return
    }
    const problem = describeFailure(error)
    if (problem === this.problem) return
    this.problem = problem
    this.#log.error('pod_not_served', { message: problem })
    for (const { pod } of this.pods.values()) this.#fail(pod, problem)
  }

  #fail({ uid }: ServedPod, problem: string): void {
    this.#node.send({ type: 'pod', uid, state: 'failed', problem })
  }

  async #listen(served: Served, broker: Broker): Promise<void> {
    const { pod, socket, waits } = served
    const { uid } = pod
    const parts = broker.createPod(uid)
    if (waits && this.#keys.length > 0 && !this.#node.listensNow.aborted) {
      this.#node.send({ type: 'pod', uid, state: 'fetching' })
      const signal = AbortSignal.any([this.#node.listensNow, this.#ended.signal])
      this.#fetched ??= fetchTokens(broker, parts.tokens, this.#keys, signal)
      await this.#fetched
      if (this.pods.get(uid) !== served) return
    }
    served.listener = this.#node.listen(parts, [socket])
    const problem = await served.listener.then(() => undefined, describeFailure)
    if (this.pods.get(uid) !== served) return
    if (problem === undefined) this.#node.send({ type: 'pod', uid, state: 'serving' })
    else this.#fail(pod, problem)
  }

  /** Reads a file by its path in the gate of the newest pod, or of an older one. */
  readonly #read = async (path: string): Promise<string> => {
    const readers = [...this.pods.keys()].slice(-MAX_READERS).toReversed()
    let failure: unknown = new Error('the last pod of the workload has ended')
    for (const [at, uid] of readers.entries()) {
      try {
        return await this.#node.readFile(uid, path)
      } catch (error) {
        if (at === 0) failure = error
      }
    }
    throw failure
  }

  /** Creates a function that reads the projected token. It throws `assertion_subject` for one of another service account. */
  #createAssertionReader(audience: string | undefined): AssertionReader {
    const read = createAssertionReader({ audience, readFile: this.#read })
    return async (path) => {
      const assertion = await read(path)
      if (assertion.subject === this.#subject) return assertion
      throw new BrokerError(
        'assertion_subject',
        `the projected token in ${path} is of ${assertion.subject}, but the pod runs as ${this.#subject}`,
        'remove what else writes to the volume of the projected token',
      )
    }
  }
}

/** Returns all problems of the settings, with their fixes, in one line. */
function describeFailure(error: unknown): string {
  const problems: readonly Problem[] =
    error instanceof ConfigError ? error.problems : [toBrokerError(error)]
  const fix = 'correct the settings of the pod'
  return problems.map((each) => formatProblem({ ...each, fix: each.fix ?? fix })).join('; ')
}

/** Returns the log with these fields in each line. Dropped lines are counted for the process. */
function withFields(log: ProcessLog, own: Readonly<Record<string, string>>): ProcessLog {
  const writers = createWriters(
    (name) => (event, fields) => log[name](event, { ...own, ...fields }),
  )
  return { ...log, ...writers, dropped: new Map() }
}
