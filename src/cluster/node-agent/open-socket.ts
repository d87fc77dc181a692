/** Opens a listening socket in the network namespace of a pod, by a helper that enters it. */
import { type SendHandle, spawn } from 'node:child_process'
import { explainSpawnError } from '../../sidecar/redirect/run-tool.ts'

/** A socket that this process keeps and sends on, and on which it does not accept connections. */
export type ListeningSocket = SendHandle & { readonly close: () => void }

interface SocketOptions {
  /** The helper's program. */
  readonly helper: string
  /** An open descriptor of the network namespace. */
  readonly namespace: number
  readonly port: number
  readonly signal: AbortSignal
}

const TIMEOUT_MS = 10_000

/** Opens a socket that listens on 127.0.0.1:`port` there. Throws an error with the helper's message. */
export function openSocket(options: SocketOptions): Promise<ListeningSocket> {
  const { helper, namespace, port, signal } = options
  return new Promise((resolve, reject) => {
    const child = spawn(helper, ['open-socket', `${port}`], {
      signal,
      timeout: TIMEOUT_MS,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', namespace],
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
      // It would take connections that no process accepts.
      if (isRejected) socket.close()
    })
    child.on('error', (error) => {
      const reason = explainSpawnError(error, 'wimds-node')
      fail(new Error(`${helper}: ${reason}`, { cause: error }))
    })
    // Without effect after the socket has come.
    child.on('close', (code, killedBy) => {
      const end = killedBy ?? `exit code ${code}`
      fail(new Error(stderr.trim() || `${helper} open-socket ${port}: ${end}`))
    })
  })
}

function isListening(socket: SendHandle): socket is ListeningSocket {
  return socket !== undefined && 'close' in socket
}
