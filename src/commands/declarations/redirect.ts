/** Declares `wimds redirect`. */
import { DEFAULT_PORT, DEFAULT_UID } from '../../lib/sidecar-defaults.ts'
import { REDIRECT_MODES } from '../../redirect/ruleset.ts'
import type { CommandDeclaration } from './declaration.ts'

export const REDIRECT = {
  name: 'redirect',
  group: 'Run in a cluster',
  summary: 'redirect 169.254.169.254:80 to the sidecar (init container)',
  description:
    'Redirects connections to 169.254.169.254:80 in this network namespace to the sidecar. It changes the network at once: on your own machine run it with --dry-run first, and with --undo afterwards. Needs the capability NET_ADMIN, and the tools nft and ip.',
  flags: {
    mode: {
      value: 'MODE',
      choices: REDIRECT_MODES,
      help: "loopback (the default) also adds 169.254.169.254 to lo, so that the node's IMDS is out of reach; nft redirects alone",
    },
    port: { value: 'PORT', help: `the sidecar's port (default ${DEFAULT_PORT}, or $PROXY_PORT)` },
    uid: {
      value: 'UID',
      help: `the sidecar's uid, exempt with --pass-through (default ${DEFAULT_UID}, or $PROXY_UID)`,
    },
    'pass-through': {
      help: "let that uid reach the node's IMDS; only with --mode nft",
    },
    wait: {
      value: 'SECONDS',
      help: 'then wait until the sidecar accepts connections on its port; while it restarts later, new connections wait and are not refused',
    },
    'dry-run': { help: 'print what would be run, and run nothing' },
    undo: { help: 'remove the redirect' },
  },
  examples: ['wimds redirect --dry-run', 'wimds redirect --undo'],
  exitCodes: { 1: 'a tool failed, or the sidecar does not accept connections' },
} as const satisfies CommandDeclaration
