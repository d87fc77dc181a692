/** Opens a listening socket in the network namespace of a pod, by a helper that enters it. */
import type { SendHandle } from 'node:child_process'
import { type RunOptions, startTool, type Step } from '../../redirect/run-tool.ts'
import { HELPER } from './helper.ts'

/** A socket that this process keeps and passes to another one, without accepting connections. */
export type ListeningSocket = SendHandle & { readonly close: () => void }

interface SocketOptions extends RunOptions {
  /** An open descriptor of the network namespace. */
  readonly namespace: number
  readonly port: number
  /** If false, the broker lets the socket listen. Until then connections come to the socket of the earlier agent. */
  readonly listens: boolean
  /** The steps that the helper runs in the namespace after it has opened the socket. They share one standard input. */
  readonly steps?: readonly Step[]
}

/** One of the steps failed after the socket was open. */
export class ToolFailure extends Error {}

/** The helper's exit code when a step has failed. */
const PROGRAM_FAILED = 2

/** Node passes on no socket for which it has no free descriptor. */
const NOT_RECEIVED = 'the agent did not get the socket. Fix: raise its limit of open files'

/**
 * Opens a socket on 127.0.0.1:`port` in the namespace, then runs the steps there. One child process does both, since each costs
 * the node a fork of Node. Throws an error with the message of the helper or of the step.
 */
export function openSocket(options: SocketOptions): Promise<ListeningSocket> {
  const { namespace, port, listens, steps = [], ...tools } = options
  const command = listens ? 'open-socket' : 'bind-socket'
  const programs = steps.flatMap(({ argv }) => ['--', ...argv])
  const input = steps.map((step) => step.input ?? '').join('')
  const argv = [HELPER, command, `${port}`, ...programs] as const
  const { child, ended } = startTool({ argv, input }, tools, ['ipc', namespace])
  return new Promise((resolve, reject) => {
    let isRejected = false
    child.on('message', (_, socket: SendHandle) => {
      if (!isListening(socket)) return
      resolve(socket)
      // An open socket would take connections that no process accepts.
      if (isRejected) socket.close()
    })
    // This has no effect after the socket has come.
    void ended.then(({ code, reason, stderr }) => {
      isRejected = true
      if (code === 0) return reject(new Error(NOT_RECEIVED))
      const message = stderr === '' ? `${argv.join(' ')}: ${reason}` : reason
      return reject(code === PROGRAM_FAILED ? new ToolFailure(message) : new Error(message))
    })
  })
}

function isListening(socket: SendHandle): socket is ListeningSocket {
  return socket !== undefined && 'close' in socket
}
