/** Applies, verifies and removes the redirect with the tools nft and ip. */
import { execFile } from 'node:child_process'
import {
  createRestartRule,
  createRuleset,
  hasRedirect,
  type RedirectSettings,
  REMOVE_TABLE,
  TABLE,
} from './ruleset.ts'

/** One child process: its argv and its standard input. */
interface Step {
  readonly argv: readonly [command: string, ...args: string[]]
  readonly input?: string
}

interface RunOptions {
  /** The PATH on which the tools are found. */
  readonly path: string | undefined
  readonly signal: AbortSignal
}

/** Applies the redirect and verifies it in the kernel. Idempotent. Throws an error with the tool's message. */
export async function applyRedirect(
  settings: RedirectSettings,
  options: RunOptions,
): Promise<void> {
  for (const step of createSteps(settings)) await run(step, options)
  const rules = await run({ argv: ['nft', '-n', 'list', 'table', 'ip', TABLE] }, options)
  if (!hasRedirect(rules, settings)) {
    throw new Error(`the table ip ${TABLE} does not contain the redirect to port ${settings.port}`)
  }
  if (settings.mode !== 'loopback') return
  const addresses = await run({ argv: ['ip', 'address', 'show', 'dev', 'lo'] }, options)
  if (!addresses.includes(` ${settings.metadataIp}/32 `)) {
    throw new Error(`${settings.metadataIp} is not on lo`)
  }
}

/**
 * Lets new connections wait while the sidecar restarts. Call it after `applyRedirect`, once the sidecar accepts
 * connections: before, a caller has to learn at once that it does not listen yet.
 */
export async function applyRestartRule(
  settings: RedirectSettings,
  options: RunOptions,
): Promise<void> {
  await run(createRestartStep(settings), options)
}

/** Removes the redirect. Succeeds as well if there is none. */
export async function removeRedirect(
  settings: RedirectSettings,
  options: RunOptions,
): Promise<void> {
  for (const step of createRemoval(settings)) await run(step, options)
}

type Action = 'apply' | 'apply and await' | 'remove'

/** Formats what `applyRedirect` and `applyRestartRule`, or `removeRedirect`, run as a shell script. */
export function formatScript(settings: RedirectSettings, action: Action): string {
  if (action === 'remove') return formatSteps(createRemoval(settings))
  const script = formatSteps(createSteps(settings))
  if (action === 'apply') return script
  return `${script}# once the sidecar accepts connections:\n${formatSteps([createRestartStep(settings)])}`
}

function formatSteps(steps: readonly Step[]): string {
  return steps
    .map(({ argv, input }) => {
      const line = argv.join(' ')
      return input === undefined ? `${line}\n` : `${line} <<'END'\n${input}END\n`
    })
    .join('')
}

function createSteps(settings: RedirectSettings): Step[] {
  const rules: Step = { argv: ['nft', '-f', '-'], input: createRuleset(settings) }
  // Scope host: the address is never the source of a packet that leaves the pod.
  const address: Step = {
    argv: ['ip', 'address', 'replace', `${settings.metadataIp}/32`, 'dev', 'lo', 'scope', 'host'],
  }
  return settings.mode === 'loopback' ? [address, rules] : [rules]
}

function createRestartStep(settings: RedirectSettings): Step {
  return { argv: ['nft', '-f', '-'], input: createRestartRule(settings) }
}

function createRemoval(settings: RedirectSettings): Step[] {
  const rules: Step = { argv: ['nft', '-f', '-'], input: REMOVE_TABLE }
  const address: Step = {
    argv: ['ip', 'address', 'flush', 'dev', 'lo', 'to', `${settings.metadataIp}/32`],
  }
  return settings.mode === 'loopback' ? [rules, address] : [rules]
}

const TIMEOUT_MS = 10_000

/** Runs one step without a shell and returns its standard output. */
function run(step: Step, { path, signal }: RunOptions): Promise<string> {
  const [command, ...args] = step.argv
  return new Promise((resolve, reject) => {
    // The output is parsed, so it must not depend on a locale.
    const env = { LC_ALL: 'C', ...(path !== undefined && { PATH: path }) }
    const options = { env, signal, timeout: TIMEOUT_MS }
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else {
        const message = `${step.argv.join(' ')}: ${explainFailure(error, stderr)}`
        reject(new Error(message, { cause: error }))
      }
    })
    // EPIPE if the child ended early; its exit code is the error to report.
    child.stdin?.on('error', () => {})
    child.stdin?.end(step.input ?? '')
  })
}

function explainFailure(error: Error & { code?: unknown }, stderr: string): string {
  if (error.code === 'ENOENT') return 'not found; the redirect needs nft and ip on the PATH'
  const message = stderr.trim() || error.message
  const isForbidden = /not permitted|permission denied/i.test(message)
  return isForbidden ? `${message}\n(it needs uid 0 and the capability NET_ADMIN)` : message
}
