/** Runs a program to its end, or to its time limit. */
import { spawn } from 'node:child_process'

export type Command = readonly [program: string, ...args: readonly string[]]

export interface RunOptions {
  readonly env: NodeJS.ProcessEnv
  readonly cwd?: string
  /** Only a program that hangs reaches the default. */
  readonly timeoutMs?: number
}

export interface Outcome {
  /** Null when the program could not be started or was killed. */
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs a command with exactly this environment and no input. Never rejects: a program that cannot be
 * started, or that is killed with its children at the time limit, has no exit code and the reason on
 * `stderr`.
 */
export function runProcess(
  [program, ...args]: Command,
  { env, cwd, timeoutMs = 180_000 }: RunOptions,
): Promise<Outcome> {
  return new Promise((resolve) => {
    // Its own process group, so that its children can be killed with it.
    const child = spawn(program, args, {
      env,
      cwd,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
    const timer = setTimeout(() => {
      output.stderr += `\nkilled after ${timeoutMs / 1000} s\n`
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    }, timeoutMs)
    child.on('error', ({ message }) => (output.stderr += message))
    child.on('close', (exitCode) => {
      clearTimeout(timer)
      resolve({ exitCode: exitCode !== null && exitCode >= 0 ? exitCode : null, ...output })
    })
  })
}
