/** Runs the tools of the redirect as child processes. */
import { spawn } from 'node:child_process'

/** One child process: its argv and its standard input. */
export interface Step {
  readonly argv: readonly [command: string, ...args: string[]]
  readonly input?: string
}

export interface RunOptions {
  /** The PATH on which the tools are found. */
  readonly path: string | undefined
  readonly signal: AbortSignal
  /** An open descriptor of a network namespace, for the helper of the node agent that enters it. */
  readonly namespace?: number
}

const TIMEOUT_MS = 10_000

/** Runs one step without a shell. Throws an error with the tool's message, and an explanation where the reason is known. */
export function runTool(step: Step, { path, signal, namespace }: RunOptions): Promise<void> {
  const [command, ...args] = step.argv
  return new Promise((resolve, reject) => {
    const fail = (reason: string, cause?: unknown) =>
      reject(new Error(`${step.argv.join(' ')}: ${reason}`, { cause }))
    const child = spawn(command, args, {
      env: createToolEnv(path),
      signal,
      timeout: TIMEOUT_MS,
      stdio: [
        'pipe',
        'ignore',
        'pipe',
        ...(namespace === undefined ? [] : (['ignore', namespace] as const)),
      ],
    })
    let stderr = ''
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.on('error', (error: NodeJS.ErrnoException) => fail(explainSpawnError(error), error))
    child.on('close', (code, killedBy) => {
      if (code === 0) resolve()
      else fail(explainFailure(stderr, killedBy ?? `exit code ${code}`))
    })
    // EPIPE if the child ended early; its exit code is the error to report.
    child.stdin?.on('error', () => {})
    child.stdin?.end(step.input ?? '')
  })
}

/** Returns the environment of tools. The reason of a failure is found in the message, so it must not depend on a locale. */
export function createToolEnv(path: string | undefined): NodeJS.ProcessEnv {
  return { LC_ALL: 'C', ...(path !== undefined && { PATH: path }) }
}

/** Returns why a program could not be started. */
export function explainSpawnError(error: NodeJS.ErrnoException, needs = 'nft and ip'): string {
  if (error.code === 'ENOENT') return `not found; the redirect needs ${needs} on the PATH`
  if (error.code === 'EAGAIN')
    return 'no process could be started: the limit of processes is reached'
  return error.message
}

/** Returns the message of tools that have failed, and an explanation where the reason is known. */
export function explainFailure(stderr: string, end: string): string {
  const message = stderr.trim() || end
  if (/cannot execute (?:nft|ip)\b/.test(message)) {
    return `${message}\n(the redirect needs nft and ip on the PATH)`
  }
  if (lacksRights(message)) {
    return `${message}\n(it needs uid 0 and the capability NET_ADMIN)`
  }
  if (OUT_OF_MEMORY.test(message)) {
    return `${message}\n(nft reads all rules of the network, which has too many: remove those that the pod has made)`
  }
  if (
    /operation not supported|protocol not supported|address family not supported/i.test(message)
  ) {
    return `${message}\n(the kernel has no nf_tables: load the modules nf_tables and nft_redir on the node)`
  }
  if (/network is unreachable/i.test(message)) {
    return `${message}\n(mode nft needs a route to the metadata address, which a pod with only IPv6 has not. Fix: choose mode loopback)`
  }
  return message
}

/** nft under a limit of memory. */
const OUT_OF_MEMORY = /memory allocation failure|cannot allocate memory/i

/** Returns true for the message of a tool that lacks a capability or uid 0. */
export function lacksRights(message: string): boolean {
  return /not permitted|permission denied/i.test(message)
}
