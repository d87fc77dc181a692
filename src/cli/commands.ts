/**
 * All commands except `help`, in the order of the help text. A command is loaded only when it runs, so that no command makes
 * another one slower.
 */
import type { CommandDeclaration } from '../lib/args.ts'
import type { Command } from '../lib/command.ts'

export interface CommandEntry {
  readonly load: () => Promise<Command>
  /** Loads the flags and help texts. */
  readonly declare: () => Promise<CommandDeclaration>
  /** True if a signal makes it shut down; a signal ends the other commands at once. */
  readonly isLongRunning?: true
}

export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  serve: {
    load: async () => (await import('./precompiled.ts')).loadServe(),
    declare: async () => (await import('../sidecar/declaration.ts')).SERVE,
    isLongRunning: true,
  },
  redirect: longRunning(entry(() => import('../sidecar/redirect.ts'), 'redirect', 'REDIRECT')),
  probe: entry(() => import('../sidecar/probe.ts'), 'probe', 'PROBE'),
  webhook: longRunning(
    entry(() => import('../injection/webhook/webhook.ts'), 'webhook', 'WEBHOOK'),
  ),
  'node-agent': longRunning(
    entry(() => import('../node/agent/node-agent.ts'), 'nodeAgent', 'NODE_AGENT'),
  ),
  'node-broker': longRunning(
    entry(() => import('../node/broker/node-broker.ts'), 'nodeBroker', 'NODE_BROKER'),
  ),
  inject: entry(() => import('../tools/inject/inject.ts'), 'inject', 'INJECT'),
  uninject: entry(() => import('../tools/inject/uninject.ts'), 'uninject', 'UNINJECT'),
  trust: entry(() => import('../tools/trust/trust.ts'), 'trust', 'TRUST'),
  doctor: entry(() => import('../tools/doctor/doctor.ts'), 'doctor', 'DOCTOR'),
  report: entry(() => import('../tools/report/report.ts'), 'report', 'REPORT'),
  token: entry(() => import('../tools/token.ts'), 'token', 'TOKEN'),
  env: entry(() => import('../tools/env.ts'), 'env', 'ENV'),
  demo: longRunning(entry(() => import('../tools/demo/demo.ts'), 'demo', 'DEMO')),
  simulate: longRunning(
    entry(() => import('../tools/simulator/simulate.ts'), 'simulate', 'SIMULATE'),
  ),
  version: entry(() => import('./version-command.ts'), 'version', 'VERSION_COMMAND'),
}

/** Creates the entry of a command. `name` is the exported function, `declaration` the exported declaration of its module. */
function entry<Name extends string, Declaration extends string>(
  load: () => Promise<Record<Name, Command> & Record<Declaration, CommandDeclaration>>,
  name: Name,
  declaration: Declaration,
): CommandEntry {
  return {
    load: async () => (await load())[name],
    declare: async () => (await load())[declaration],
  }
}

function longRunning(command: CommandEntry): CommandEntry {
  return { ...command, isLongRunning: true }
}

/** Returns the entry of a command; undefined for `help` and unknown commands. */
export function findCommand(name: string): CommandEntry | undefined {
  return Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
}
