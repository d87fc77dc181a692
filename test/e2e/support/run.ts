/** Child processes: their output, or an error that holds all of it. */
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { CLI } from './environment.ts'

interface RunOptions {
  readonly input?: string
  /** Exit codes that are no error. */
  readonly allow?: readonly number[]
}

export interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end. Rejects with what it printed when its exit code is not allowed. */
export async function run(
  command: string,
  args: readonly string[],
  { input = '', allow = [0] }: RunOptions = {},
): Promise<Finished> {
  const child = spawn(command, args, { stdio: 'pipe' })
  const closed = new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? -1))
  })
  // A child that ended early has closed its input; its exit code says why.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [code, stdout, stderr] = await Promise.all([closed, text(child.stdout), text(child.stderr)])
  if (!allow.includes(code)) {
    throw new Error(`${command} ${args.join(' ')} exited with ${code}\n${stdout}${stderr}`)
  }
  return { code, stdout, stderr }
}

/** Runs kubectl; what it prints. */
export async function kubectl(args: readonly string[], input?: string): Promise<string> {
  return (await run('kubectl', args, input === undefined ? {} : { input })).stdout
}

/** Runs `wimds`. */
export function wimds(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return run(process.execPath, [CLI, ...args], options)
}
