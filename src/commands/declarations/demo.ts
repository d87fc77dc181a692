/** Declares `wimds demo`. */
import type { CommandDeclaration } from './declaration.ts'

export const DEMO = {
  name: 'demo',
  group: 'Try without Azure',
  summary: 'run the whole flow on this machine, offline, with explanations',
  description:
    'Starts a simulated cluster issuer, an Entra ID and a vault that validate signatures and claims, and a sidecar. A legacy client then reads a secret, and each step is explained. Works offline.',
  flags: {
    keep: { help: 'keep running afterwards, and print URLs and commands to try' },
  },
  examples: ['wimds demo --keep'],
  exitCodes: { 0: 'every step succeeded', 1: 'a step failed' },
} as const satisfies CommandDeclaration
