/** Applies and removes the redirect with the tools nft and ip. */
import { createRestartRule, createRuleset, type RedirectSettings, REMOVE_TABLE } from './ruleset.ts'
import { type RunOptions, runTool, type Step } from './run-tool.ts'

/** Applies the redirect: nft's exit code is the kernel's answer. Idempotent. Throws an error with the tool's message. */
export function applyRedirect(settings: RedirectSettings, options: RunOptions): Promise<void> {
  return runSteps(createSteps(settings, 'apply'), options)
}

/**
 * Lets new connections wait while the sidecar restarts. Call it after `applyRedirect`, once the sidecar accepts
 * connections: before, a caller has to learn at once that it does not listen yet.
 */
export function applyRestartRule(settings: RedirectSettings, options: RunOptions): Promise<void> {
  return runSteps(createSteps(settings, 'await'), options)
}

/** Removes the redirect. Succeeds as well if there is none. */
export function removeRedirect(settings: RedirectSettings, options: RunOptions): Promise<void> {
  return runSteps(createSteps(settings, 'remove'), options)
}

async function runSteps(steps: readonly Step[], options: RunOptions): Promise<void> {
  for (const step of steps) await runTool(step, options)
}

/** Applies the redirect, lets new connections wait while the sidecar restarts, or removes both. */
type Action = 'apply' | 'await' | 'apply and await' | 'remove'

/** Formats the steps of an action as a shell script. */
export function formatScript(settings: RedirectSettings, action: Action): string {
  return createSteps(settings, action)
    .map(({ argv, input }) => {
      const line = argv.join(' ')
      return input === undefined ? `${line}\n` : `${line} <<'END'\n${input}END\n`
    })
    .join('')
}

/**
 * Returns the tools to run for an action, in their order.
 *
 * Mode loopback has a route to `lo`, not an address on it. An address would be one of the pod for its network too: the
 * kernel answers ARP requests for it, so a neighbour that looks for the metadata service on its own link would find this
 * pod. There is no IPv6 counterpart: the redirect has no IPv6 address that neighbour discovery could find.
 */
export function createSteps(settings: RedirectSettings, action: Action): Step[] {
  const rules: Step = { argv: ['nft', '-f', '-'], input: createRules(settings, action) }
  if (action === 'await') return [rules]
  if (settings.mode === 'nft') {
    // The kernel looks for a route before its nat hook: without one, connections fail and the rule is never met.
    const route: Step = { argv: ['ip', 'route', 'get', settings.metadataIp] }
    return action === 'remove' ? [rules] : [route, rules]
  }
  const route = [`${settings.metadataIp}/32`, 'dev', 'lo'] as const
  return action === 'remove'
    ? [rules, { argv: ['ip', 'route', 'flush', 'exact', ...route] }]
    : [{ argv: ['ip', 'route', 'replace', ...route, 'src', '127.0.0.1'] }, rules]
}

function createRules(settings: RedirectSettings, action: Action): string {
  if (action === 'remove') return REMOVE_TABLE
  if (action === 'await') return createRestartRule(settings)
  return createRuleset(settings) + (action === 'apply' ? '' : createRestartRule(settings))
}
