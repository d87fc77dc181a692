/** Runs kubectl, which may ask the person to log in: an exec plugin of the kubeconfig such as kubelogin writes a prompt. */
import { spawn } from 'node:child_process'
import type { CommandIo } from '../../lib/command.ts'

/** The end of kubectl: its exit code and its output. */
export interface End {
  /** The exit code; undefined: kubectl could not be started, or was stopped. */
  readonly code: number | undefined
  readonly stderr: string
  /** Why kubectl could not be started, such as ENOENT, or was stopped. */
  readonly stopped: string | undefined
}

/** The streams and the environment of kubectl, which reads PATH, HOME and KUBECONFIG. */
export type KubectlIo = Omit<CommandIo, 'stdout'>

interface RunOptions {
  /** How long kubectl may run, in milliseconds. */
  readonly runMs?: number | undefined
  /** True if the user may have to log in: a terminal then shows what kubectl writes, and kubectl may run for 15 minutes. */
  readonly mayLogIn?: boolean
  /** The standard input of kubectl; without it kubectl reads from the terminal. */
  readonly input?: string | undefined
}

/** Starts kubectl without a shell. */
export function startKubectl(
  args: readonly string[],
  { env, signal, stdin, stderr: screen }: KubectlIo,
  { runMs = 120_000, mayLogIn = false, input }: RunOptions = {},
) {
  const options = { env: { ...env }, signal }
  const isShown = mayLogIn && isTerminal(screen)
  // An exec plugin may insist on a terminal in each process.
  const hasTerminal = input === undefined && isTerminal(stdin)
  // Without this, a signal that ends doctor would leave kubectl behind, even while kubectl starts.
  const endBoth = (reason: NodeJS.Signals) => {
    kill()
    process.kill(process.pid, reason)
  }
  const signals = ['SIGTERM', 'SIGINT'] as const
  for (const each of signals) process.once(each, endBoth)
  const child = hasTerminal
    ? spawn('kubectl', args, { ...options, stdio: ['inherit', 'pipe', 'pipe'] })
    : spawn('kubectl', args, { ...options, detached: true })
  const { pid } = child
  /** Ends kubectl and the programs that it has started. At a terminal these get the signals of the keyboard themselves. */
  const kill = () => {
    try {
      if (hasTerminal || pid === undefined) child.kill()
      else process.kill(-pid)
    } catch {
      // The processes have ended.
    }
  }
  const { promise: ended, resolve } = Promise.withResolvers<End>()
  let stderr = ''
  let stopped: string | undefined
  const stop = (reason: string) => {
    stopped ??= reason
    kill()
    // A program that kubectl has started may keep the other ends open.
    child.stdout.destroy()
    child.stderr.destroy()
  }
  const limit = setTimeout(stop, isShown ? LOGIN_MS : runMs, TIMED_OUT)
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    if (isShown) screen.write(text)
  })
  child.on('error', (error: NodeJS.ErrnoException) => stop(error.code ?? error.message))
  child.on('close', (code) => {
    clearTimeout(limit)
    for (const each of signals) process.off(each, endBoth)
    resolve({ code: stopped === undefined ? (code ?? undefined) : undefined, stderr, stopped })
  })
  // EPIPE if kubectl ended early; its exit code is the failure to report.
  child.stdin?.on('error', () => {})
  child.stdin?.end(input)
  return { stdout: child.stdout, ended, stop }
}

/** How long a device code is valid. */
const LOGIN_MS = 900_000

/** Why kubectl was stopped at its time limit. */
export const TIMED_OUT = 'no answer in time: it may wait for a login, which only a terminal shows'

function isTerminal(stream: object = {}): boolean {
  return 'isTTY' in stream && stream.isTTY === true
}
