/** Declares `wimds serve`. */
import type { CommandDeclaration } from './declaration.ts'

export const SERVE = {
  name: 'serve',
  group: 'Run in a cluster',
  summary: 'run the sidecar: answer IMDS token requests by workload identity federation',
  description:
    'Runs the sidecar until SIGTERM or SIGINT. It takes no flags: docs/configuration.md lists the variables that it reads.',
  flags: {},
  exitCodes: { 0: 'shut down gracefully', 1: 'an address cannot be bound' },
} as const satisfies CommandDeclaration
