/** Applies and removes the redirect with the tools nft and ip. */
import { METADATA_IP } from '../lib/hosts.ts'
import { createRestartRule, createRuleset, type RedirectSettings, REMOVE_TABLE } from './ruleset.ts'
import { type RunOptions, runTool, type Step } from './run-tool.ts'

/**
 * `apply` loads the redirect, `await` lets new connections wait while the sidecar restarts, and `remove` removes both. `await`
 * follows `apply` once the sidecar accepts connections: until then a caller has to learn at once that nothing listens.
 */
type Action = 'apply' | 'await' | 'apply and await' | 'remove'

/** Runs the steps of an action, all of them idempotent. Throws an error with the tool's message. */
export async function changeRedirect(
  settings: RedirectSettings,
  action: Action,
  options: RunOptions,
): Promise<void> {
  for (const step of createSteps(settings, action)) await runTool(step, options)
}

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
    // The kernel looks for a route before its nat hook: without a route connections fail, and the rule never applies.
    const route: Step = { argv: ['ip', 'route', 'get', METADATA_IP] }
    return action === 'remove' ? [rules] : [route, rules]
  }
  const route = [`${METADATA_IP}/32`, 'dev', 'lo'] as const
  return action === 'remove'
    ? [rules, { argv: ['ip', 'route', 'flush', 'exact', ...route] }]
    : [{ argv: ['ip', 'route', 'replace', ...route, 'src', '127.0.0.1'] }, rules]
}

function createRules(settings: RedirectSettings, action: Action): string {
  if (action === 'remove') return REMOVE_TABLE
  if (action === 'await') return createRestartRule(settings)
  return createRuleset(settings) + (action === 'apply' ? '' : createRestartRule(settings))
}
