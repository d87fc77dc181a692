/** Runs child processes. Errors contain all of their output. */
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import type { Sections } from '../../../src/tools/doctor/doctor-report.ts'
import { CLI } from './environment.ts'

interface RunOptions {
  readonly input?: string
  /** The exit codes that are no error. */
  readonly allow?: readonly number[]
}

export interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end. Rejects with its output if its exit code is not allowed. */
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
  // EPIPE if the child ended early. Its exit code is reported instead.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [code, stdout, stderr] = await Promise.all([closed, text(child.stdout), text(child.stderr)])
  if (!allow.includes(code)) {
    throw new Error(`${command} ${args.join(' ')} exited with ${code}\n${stdout}${stderr}`)
  }
  return { code, stdout, stderr }
}

/** Runs kubectl and returns its output. */
export async function kubectl(args: readonly string[], input?: string): Promise<string> {
  return (await run('kubectl', args, input === undefined ? {} : { input })).stdout
}

/** Runs `wimds doctor`, which may find failures. Returns its exit code and its report. */
export async function doctor(...args: readonly string[]) {
  const { code, stdout } = await wimds(['doctor', ...args, '-o', 'json'], { allow: [0, 1, 2] })
  const report: Sections = JSON.parse(stdout)
  return { code, report }
}

/** Runs `wimds`. */
export function wimds(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return run(process.execPath, [CLI, ...args], options)
}
