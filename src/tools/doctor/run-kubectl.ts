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

/** The environment has PATH, HOME and KUBECONFIG; a prompt goes to `stderr`, and its answer comes from `stdin`. */
export type KubectlIo = Omit<CommandIo, 'stdout'>

/** Milliseconds; only tests have others. */
export const LIMITS = {
  /** What kubectl has written while it still runs after this time is for the person. */
  promptMs: 2000,
  runMs: 120_000,
  /** As long as a device code is valid: a person answers a prompt in a terminal. */
  answerMs: 900_000,
}

/** A line of kubectl's own log. */
const LOG_LINE = /^[EWI]\d{4} .*\n?/gm

/** Starts kubectl without a shell. It reads `input`, or else the terminal, if there is one: an exec plugin may ask there. */
export function startKubectl(
  args: readonly string[],
  { env, signal, stdin, stderr: screen }: KubectlIo,
  { promptMs, runMs, answerMs } = LIMITS,
  input?: string,
) {
  const options = { env: { ...env }, signal }
  const child =
    input === undefined && isTerminal(stdin)
      ? spawn('kubectl', args, { ...options, stdio: ['inherit', 'pipe', 'pipe'] })
      : spawn('kubectl', args, options)
  const { promise: ended, resolve } = Promise.withResolvers<End>()
  let stderr = ''
  let isWaiting = false
  let stopped: string | undefined
  const stop = (reason: string) => {
    stopped ??= reason
    child.kill()
    // A program that kubectl has started may keep the other ends open.
    child.stdout.destroy()
    child.stderr.destroy()
  }
  const stopAfter = (ms: number) => setTimeout(stop, ms, `no answer within ${ms / 1000} s`)
  let limit = stopAfter(runMs)
  const show = (text: string) => {
    const prompt = text.replaceAll(LOG_LINE, '')
    if (prompt.trim() === '') return
    screen.write(prompt)
    if (!isTerminal(screen)) return
    clearTimeout(limit)
    limit = stopAfter(answerMs)
  }
  // Ctrl-C reaches kubectl, too, but a signal for doctor would leave it behind.
  const endBoth = (reason: NodeJS.Signals) => {
    child.kill()
    process.kill(process.pid, reason)
  }
  process.once('SIGTERM', endBoth)
  const waiting = setTimeout(() => {
    isWaiting = true
    show(stderr)
  }, promptMs)
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    if (isWaiting) show(text)
  })
  child.on('error', (error: NodeJS.ErrnoException) => stop(error.code ?? error.message))
  child.on('close', (code) => {
    clearTimeout(limit)
    clearTimeout(waiting)
    process.off('SIGTERM', endBoth)
    resolve({ code: stopped === undefined ? (code ?? undefined) : undefined, stderr, stopped })
  })
  // EPIPE if kubectl ended early; its exit code is the failure to report.
  child.stdin?.on('error', () => {})
  child.stdin?.end(input)
  return { stdout: child.stdout, ended, stop }
}

function isTerminal(stream: object = {}): boolean {
  return 'isTTY' in stream && stream.isTTY === true
}
