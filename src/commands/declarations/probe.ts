/** Declares `wimds probe`. */
import { DEFAULT_PORT } from '../../lib/sidecar-defaults.ts'
import type { CommandDeclaration } from './declaration.ts'

export const PROBE = {
  name: 'probe',
  group: 'Run in a cluster',
  summary: 'exit 0 when the sidecar on this machine is ready',
  description:
    'Polls http://127.0.0.1:PORT/readyz until it returns 200. A refused connection is retried too: the sidecar may just be starting.',
  flags: {
    port: { value: 'PORT', help: `the sidecar's port (default ${DEFAULT_PORT})` },
    timeout: { value: 'SECONDS', help: 'how long to poll (default 10)' },
    listening: {
      help: 'wait until PORT accepts connections, whether or not wimds is ready',
    },
    live: {
      help: 'poll /healthz in place of /readyz: whether the process answers at all; the liveness probe of the node agent',
    },
    route: {
      help: 'wait until a connection to 169.254.169.254:80 reaches the sidecar at PORT; the start-up probe of mode node',
    },
  },
  examples: ['wimds probe --timeout 60 && ./application'],
  exitCodes: { 0: 'ready', 1: 'not ready before the timeout' },
} as const satisfies CommandDeclaration
