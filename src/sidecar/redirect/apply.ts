/** Applies, verifies and removes the redirect with the tools nft and ip. */
import {
  createRestartRule,
  createRuleset,
  hasRedirect,
  type RedirectSettings,
  REMOVE_TABLE,
  TABLE,
} from './ruleset.ts'
import { type RunOptions, runTool, type Step } from './run-tool.ts'

/** Applies the redirect and verifies it in the kernel. Idempotent. Throws an error with the tool's message. */
export async function applyRedirect(
  settings: RedirectSettings,
  options: RunOptions,
): Promise<void> {
  for (const step of createSteps(settings)) await runTool(step, options)
  const problem = await findRedirectProblem(settings, options)
  if (problem !== undefined) throw new Error(problem)
}

/** Returns what the kernel lacks of the redirect; undefined if it is complete. Throws if it has no such table. */
export async function findRedirectProblem(
  settings: RedirectSettings,
  options: RunOptions,
): Promise<string | undefined> {
  const rules = await runTool({ argv: ['nft', '-n', 'list', 'table', 'ip', TABLE] }, options)
  if (!hasRedirect(rules, settings)) {
    return `the table ip ${TABLE} does not contain the redirect to port ${settings.port}`
  }
  if (settings.mode !== 'loopback') return undefined
  const addresses = await runTool({ argv: ['ip', 'address', 'show', 'dev', 'lo'] }, options)
  return addresses.includes(` ${settings.metadataIp}/32 `)
    ? undefined
    : `${settings.metadataIp} is not on lo`
}

/**
 * Lets new connections wait while the sidecar restarts. Call it after `applyRedirect`, once the sidecar accepts
 * connections: before, a caller has to learn at once that it does not listen yet.
 */
export async function applyRestartRule(
  settings: RedirectSettings,
  options: RunOptions,
): Promise<void> {
  await runTool(createRestartStep(settings), options)
}

/** Removes the redirect. Succeeds as well if there is none. */
export async function removeRedirect(
  settings: RedirectSettings,
  options: RunOptions,
): Promise<void> {
  for (const step of createRemoval(settings)) await runTool(step, options)
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
