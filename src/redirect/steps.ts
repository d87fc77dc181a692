/** The commands that make the redirect, undo it, and show whether it is there. */
import { REMOVE_TABLE, TABLE, holdsRedirect, ruleset } from './ruleset.ts'
import type { RedirectSettings } from './settings.ts'

/** One child process: its argv, and what it reads on standard input. */
export interface Step {
  readonly argv: readonly [command: string, ...args: string[]]
  readonly input?: string
}

/** A step whose output must hold something, and what it means if it does not. */
export interface Check {
  readonly step: Step
  readonly holds: (output: string) => boolean
  readonly failure: string
}

/** What makes the redirect. Safe to run again: each step replaces what an earlier run left. */
export function redirectSteps(settings: RedirectSettings): Step[] {
  const rules: Step = { argv: ['nft', '-f', '-'], input: ruleset(settings) }
  // Scope host: the address is for talking to oneself, never the source of a packet that leaves.
  const address: Step = {
    argv: ['ip', 'address', 'replace', `${settings.metadataIp}/32`, 'dev', 'lo', 'scope', 'host'],
  }
  return settings.mode === 'loopback' ? [address, rules] : [rules]
}

/** What removes the redirect; succeeds as well where there is none. */
export function undoSteps(settings: RedirectSettings): Step[] {
  const rules: Step = { argv: ['nft', '-f', '-'], input: REMOVE_TABLE }
  const address: Step = {
    argv: ['ip', 'address', 'flush', 'dev', 'lo', 'to', `${settings.metadataIp}/32`],
  }
  return settings.mode === 'loopback' ? [rules, address] : [rules]
}

/** What proves, after `redirectSteps`, that the kernel took them. */
export function redirectChecks(settings: RedirectSettings): Check[] {
  const rules: Check = {
    step: { argv: ['nft', '-n', 'list', 'table', 'ip', TABLE] },
    holds: (listing) => holdsRedirect(listing, settings),
    failure: `the table ip ${TABLE} does not hold the redirect to port ${settings.port}`,
  }
  const address: Check = {
    step: { argv: ['ip', 'address', 'show', 'dev', 'lo'] },
    holds: (listing) => listing.includes(` ${settings.metadataIp}/32 `),
    failure: `${settings.metadataIp} is not on lo`,
  }
  return settings.mode === 'loopback' ? [address, rules] : [rules]
}

/** The steps as a shell script, for people to read. */
export function asShell(steps: readonly Step[]): string {
  return steps
    .map(({ argv, input }) => {
      const line = argv.join(' ')
      return input === undefined ? `${line}\n` : `${line} <<'END'\n${input}END\n`
    })
    .join('')
}
