/** Declares `wimds doctor`. */
import { ROUTING_MODES } from '../../lib/routing-modes.ts'
import { type CommandDeclaration, OUTPUT_FLAGS } from './declaration.ts'

export const DOCTOR = {
  name: 'doctor',
  group: 'Find problems',
  summary: 'find out why there is no token, and how to fix it',
  description:
    'Checks the settings, the sidecar on this machine, the route to it, the claims of the projected token, the connectivity to Entra ID and the clock, and exchanges once for each identity: for its prefetch resources, or else for Azure Resource Manager. Explains each failure, with a fix, and prints the commands that create a missing federated credential. It prints no token.',
  flags: {
    ...OUTPUT_FLAGS,
    verbose: { help: 'also print the settings that have their default' },
    mode: {
      value: 'MODE',
      choices: ROUTING_MODES,
      help: 'the routing mode, if WIMDS_MODE is not set: env, loopback or nft',
    },
    'no-sidecar': { help: 'do not check the sidecar and the route to it' },
    'no-exchange': { help: 'do not exchange' },
  },
  exitCodes: {
    0: 'every check passed, is not needed, or was left out by a flag',
    1: 'a check failed',
    2: 'no check failed, but one could not be made',
  },
} as const satisfies CommandDeclaration
