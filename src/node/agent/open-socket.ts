/** Opens a listening socket in the network namespace of a pod, by a helper that enters it. */
import { type SendHandle, spawn } from 'node:child_process'
import {
  createToolEnv,
  explainFailure,
  explainSpawnError,
  type RunOptions,
  type Step,
} from '../../redirect/run-tool.ts'

/** A socket that this process keeps and sends on, and on which it does not accept connections. */
export type ListeningSocket = SendHandle & { readonly close: () => void }

interface SocketOptions extends RunOptions {
  /** The helper's program. */
  readonly helper: string
  /** An open descriptor of the network namespace. */
  readonly namespace: number
  readonly port: number
  /** False: the process that gets the socket lets it listen, and takes no connection from another socket before. */
  readonly listens: boolean
  /** The steps that the helper runs in the namespace, once it has the socket. All read the same standard input. */
  readonly steps?: readonly Step[]
}

/** The socket listened, and one of the steps failed. */
export class ToolFailure extends Error {}

const TIMEOUT_MS = 10_000
/** The helper's exit code when a step has failed. */
const PROGRAM_FAILED = 2

/**
 * Opens a socket of 127.0.0.1:`port` there, in one child of this process: each costs the node a fork of
 * Node. Throws an error with the message of the helper or of the step.
 */
export function openSocket(options: SocketOptions): Promise<ListeningSocket> {
  const { helper, namespace, port, listens, steps = [], path, signal } = options
  const command = listens ? 'open-socket' : 'bind-socket'
  const programs = steps.flatMap(({ argv }) => ['--', ...argv])
  return new Promise((resolve, reject) => {
    const child = spawn(helper, [command, `${port}`, ...programs], {
      env: createToolEnv(path),
      signal,
      timeout: TIMEOUT_MS,
      stdio: ['pipe', 'ignore', 'pipe', 'ipc', namespace],
    })
    let stderr = ''
    let isRejected = false
    const fail = (error: Error) => {
      isRejected = true
      reject(error)
    }
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.on('message', (_, socket: SendHandle) => {
      if (!isListening(socket)) return
      resolve(socket)
      // An open socket would take connections that no process accepts.
      if (isRejected) socket.close()
    })
    child.on('error', (error) => {
      const reason = explainSpawnError(error, 'wimds-node')
      fail(new Error(`${helper}: ${reason}`, { cause: error }))
    })
    // This has no effect after the socket has come.
    child.on('close', (code, killedBy) => {
      const end = `${helper} ${command} ${port}: ${killedBy ?? `exit code ${code}`}`
      const message = explainFailure(stderr, end)
      fail(code === PROGRAM_FAILED ? new ToolFailure(message) : new Error(message))
    })
    // EPIPE if the child ended early; its exit code is the error to report.
    child.stdin?.on('error', () => {})
    child.stdin?.end(steps.map(({ input = '' }) => input).join(''))
  })
}

function isListening(socket: SendHandle): socket is ListeningSocket {
  return socket !== undefined && 'close' in socket
}
