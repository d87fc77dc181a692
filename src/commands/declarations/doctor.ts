/** Declares `wimds doctor`. */
import { type CommandDeclaration, OUTPUT_FLAGS } from './declaration.ts'

export const DOCTOR = {
  name: 'doctor',
  group: 'Find problems',
  summary: 'find out why there is no token, and how to fix it',
  description:
    'Checks the settings, the sidecar on this machine, the claims of the projected token, the connectivity to Entra ID and the clock, and exchanges once for each identity: for its prefetch resources, or else for Azure Resource Manager. Explains each failure, with a fix, and prints the commands that create a missing federated credential. It prints no token.',
  flags: {
    ...OUTPUT_FLAGS,
    'no-sidecar': { help: 'do not check the sidecar' },
    'no-exchange': { help: 'do not exchange' },
  },
  exitCodes: { 0: 'all checks passed', 1: 'a check failed', 64: 'the settings are invalid' },
} as const satisfies CommandDeclaration
