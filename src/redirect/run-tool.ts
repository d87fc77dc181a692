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
}

/** The descriptors of a tool from number 3 on. */
type Descriptors = readonly (number | 'ignore' | 'ipc')[]

const TIMEOUT_MS = 10_000

/** Runs one step without a shell. Throws an error with the tool's message, and an explanation where the reason is known. */
export async function runTool(
  step: Step,
  options: RunOptions,
  descriptors: Descriptors = [],
): Promise<void> {
  const { code, reason } = await startTool(step, options, descriptors).ended
  if (code !== 0) throw new Error(`${step.argv.join(' ')}: ${reason}`)
}

/** Starts one step without a shell. `ended` resolves with its exit code, its standard error and the reason of its failure. */
export function startTool(
  { argv, input = '' }: Step,
  { path, signal }: RunOptions,
  descriptors: Descriptors,
) {
  const [command, ...args] = argv
  const child = spawn(command, args, {
    // No locale may change the messages: `explainFailure` searches them.
    env: { LC_ALL: 'C', ...(path !== undefined && { PATH: path }) },
    signal,
    timeout: TIMEOUT_MS,
    stdio: ['pipe', 'ignore', 'pipe', ...descriptors],
  })
  let stderr = ''
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = new Promise<{ code?: number | null; reason: string; stderr: string }>((resolve) => {
    child.on('error', (error) => resolve({ reason: explainSpawnError(error), stderr }))
    child.on('close', (code, killedBy) =>
      resolve({ code, reason: explainFailure(stderr, killedBy ?? `exit code ${code}`), stderr }),
    )
  })
  // EPIPE if the child ended early; its exit code is the error to report.
  child.stdin?.on('error', () => {})
  child.stdin?.end(input)
  return { child, ended }
}

/** Returns why a program could not be started. */
function explainSpawnError(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') {
    return 'not found; the redirect needs nft and ip on the PATH, and in mode node wimds-node'
  }
  if (error.code === 'EAGAIN')
    return 'no process could be started: the limit of processes is reached'
  return error.message
}

/** Returns the message of tools that have failed, and an explanation where the reason is known. */
function explainFailure(stderr: string, end: string): string {
  const message = stderr.trim() || end
  if (/cannot execute (?:nft|ip)\b/.test(message)) {
    return `${message}\n(the redirect needs nft and ip on the PATH)`
  }
  if (lacksRights(message)) {
    return `${message}\n(it needs uid 0 and the capability NET_ADMIN)`
  }
  if (OUT_OF_MEMORY.test(message)) {
    return `${message}\n(nft reads all chains and sets of the network namespace, and there are too many: remove those that the pod has added)`
  }
  if (
    /operation not supported|protocol not supported|address family not supported/i.test(message)
  ) {
    return `${message}\n(the kernel has no nf_tables: load the modules nf_tables and nft_redir on the node)`
  }
  if (/network is unreachable/i.test(message)) {
    return `${message}\n(mode nft needs a route to the metadata address, but a pod with only IPv6 has none. Fix: choose mode loopback)`
  }
  return message
}

/** The messages of nft at its memory limit. */
const OUT_OF_MEMORY = /memory allocation failure|cannot allocate memory/i

/** Returns true for the message of a tool that lacks a capability or uid 0. */
export function lacksRights(message: string): boolean {
  return /not permitted|permission denied/i.test(message)
}
