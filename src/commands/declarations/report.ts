/** Declares `wimds report`. */
import { DEFAULT_ADMIN_PORT } from '../../lib/sidecar-defaults.ts'
import { type CommandDeclaration, OUTPUT_FLAGS } from './declaration.ts'

export const REPORT = {
  name: 'report',
  group: 'Find problems',
  summary: 'list the workloads that still call the sidecar, and how to migrate them',
  description:
    'Prints which workloads still call the metadata service, with which client library, and the version from which that library supports workload identity, so that the sidecar can be removed.',
  flags: {
    url: {
      value: 'URL',
      isRepeatable: true,
      help: `admin port of a sidecar, reached by kubectl port-forward (default http://127.0.0.1:${DEFAULT_ADMIN_PORT})`,
    },
    prometheus: {
      value: 'URL',
      help: 'a Prometheus that scrapes the sidecars, for all workloads at once',
    },
    since: { value: 'TIME', help: 'how far back Prometheus looks (default 7d)' },
    ...OUTPUT_FLAGS,
  },
  examples: [
    `wimds report                # while kubectl port-forward -n shop pod/POD ${DEFAULT_ADMIN_PORT} runs`,
    'wimds report --prometheus http://localhost:9090 --since 30d',
  ],
  exitCodes: { 1: 'a source could not be read; the report then covers the others' },
} as const satisfies CommandDeclaration
