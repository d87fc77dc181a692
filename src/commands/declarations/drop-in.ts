/** Declares the flags without a command. */
import { DEFAULT_PORT } from '../../lib/sidecar-defaults.ts'
import type { CommandDeclaration } from './declaration.ts'

export const DROP_IN = {
  name: '',
  group: 'Run in a cluster',
  summary: 'take the flags of the azure-workload-identity proxy',
  description:
    'Without a command wimds takes the flags of the azure-workload-identity proxy, which it replaces.',
  flags: {
    'proxy-port': { value: 'PORT', help: `serve on 127.0.0.1:PORT (default ${DEFAULT_PORT})` },
    'log-level': {
      value: 'LEVEL',
      help: 'info (the default), debug, trace or all',
    },
    probe: { help: 'wait until http://127.0.0.1:PORT/readyz is 200, and exit 0' },
    version: { short: 'v', help: 'print the version' },
  },
} as const satisfies CommandDeclaration
