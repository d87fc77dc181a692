/** Runs kubectl, which may ask the person to log in: an exec plugin of the kubeconfig such as kubelogin writes a prompt. */
import { spawn } from 'node:child_process'
import type { CommandIo } from '../../lib/command.ts'

/** How kubectl ended. */
export interface End {
  /** The exit code; undefined: it did not run, or not to its end. */
  readonly code: number | undefined
  readonly stderr: string
  /** Why it did not run, or not to its end, such as ENOENT. */
  readonly stopped: string | undefined
}

/** The environment has PATH, HOME and KUBECONFIG. */
export type KubectlIo = Omit<CommandIo, 'stdout'>

interface RunOptions {
  /** How long it may run, in milliseconds. */
  readonly runMs?: number
  /** Whether it may be the first to log in: a terminal then shows what it writes, and a person has any time to answer. */
  readonly mayLogIn?: boolean
  /** What it reads in place of the terminal. */
  readonly input?: string | undefined
}

/** Starts kubectl without a shell. */
export function startKubectl(
  args: readonly string[],
  { env, signal, stdin, stderr: screen }: KubectlIo,
  { runMs = 120_000, mayLogIn = false, input }: RunOptions = {},
) {
  const options = { env: { ...env }, signal }
  const hasPerson = mayLogIn && isTerminal(stdin) && isTerminal(screen)
  const child =
    hasPerson && input === undefined
      ? spawn('kubectl', args, { ...options, stdio: ['inherit', 'pipe', 'pipe'] })
      : spawn('kubectl', args, options)
  const { promise: ended, resolve } = Promise.withResolvers<End>()
  let stderr = ''
  let stopped: string | undefined
  const stop = (reason: string) => {
    stopped ??= reason
    child.kill()
    // A program that kubectl has started may keep the other ends open.
    child.stdout.destroy()
    child.stderr.destroy()
  }
  const limit = hasPerson ? undefined : setTimeout(stop, runMs, TIMED_OUT)
  // Ctrl-C reaches kubectl, too, but a signal for doctor would leave it behind.
  const endBoth = (reason: NodeJS.Signals) => {
    child.kill()
    process.kill(process.pid, reason)
  }
  process.once('SIGTERM', endBoth)
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    if (hasPerson) screen.write(text)
  })
  child.on('error', (error: NodeJS.ErrnoException) => stop(error.code ?? error.message))
  child.on('close', (code) => {
    clearTimeout(limit)
    process.off('SIGTERM', endBoth)
    resolve({ code: stopped === undefined ? (code ?? undefined) : undefined, stderr, stopped })
  })
  // EPIPE if kubectl ended early; its exit code is the failure to report.
  child.stdin?.on('error', () => {})
  child.stdin?.end(input)
  return { stdout: child.stdout, ended, stop }
}

/** Why kubectl was stopped after its time. */
export const TIMED_OUT = 'no answer in time: it may wait for a login, which only a terminal shows'

function isTerminal(stream: object = {}): boolean {
  return 'isTTY' in stream && stream.isTTY === true
}
