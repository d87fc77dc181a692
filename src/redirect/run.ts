/** Runs one step as a child process, without a shell. */
import { execFile } from 'node:child_process'
import type { Step } from './steps.ts'

const TIMEOUT_MS = 10_000

interface RunOptions {
  /** Where the tools are looked up. */
  readonly path: string | undefined
  readonly signal: AbortSignal
}

/** The step's standard output. Rejects with the tool's own message, and with what may be missing. */
export function run(step: Step, { path, signal }: RunOptions): Promise<string> {
  const [command, ...args] = step.argv
  return new Promise((resolve, reject) => {
    // The tools' output is read by us: it must not depend on a locale.
    const env = { LC_ALL: 'C', ...(path !== undefined && { PATH: path }) }
    const options = { env, signal, timeout: TIMEOUT_MS }
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${step.argv.join(' ')}: ${reasonOf(error, stderr)}`, { cause: error }))
    })
    // A child that ended early has closed its input; its exit code says why.
    child.stdin?.on('error', () => {})
    child.stdin?.end(step.input ?? '')
  })
}

function reasonOf(error: Error & { code?: unknown }, stderr: string): string {
  if (error.code === 'ENOENT') return 'not found; the redirect needs nft and ip on the PATH'
  const said = stderr.trim() || error.message
  const isForbidden = /not permitted|permission denied/i.test(said)
  return isForbidden ? `${said}\n(it needs uid 0 and the capability NET_ADMIN)` : said
}
