/** Declares `wimds serve`. */
import { DEFAULTS, Settings } from '../broker/config/settings.ts'
import type { CommandDeclaration } from '../lib/args.ts'
import { docsPage } from '../lib/version.ts'

export const SERVE = {
  name: 'serve',
  group: 'Run in a cluster',
  summary: 'run the sidecar: answer IMDS token requests by workload identity federation',
  description: `Runs the sidecar until SIGTERM or SIGINT. It takes no flags, but reads the variables below, which ${docsPage('configuration')} explains.`,
  flags: {},
  notes: `Variables, with their defaults:
${Object.keys(Settings.shape)
  .map((name) => `  ${name.padEnd(32)}${DEFAULTS[name] ?? ''}`.trimEnd())
  .join('\n')}`,
  exitCodes: { 0: 'shut down gracefully', 1: 'an address cannot be bound' },
} as const satisfies CommandDeclaration
