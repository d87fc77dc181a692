/** The exit codes of the command line. A command returns 0, 1 or 2; errors of usage and signals are handled in `cli.ts`. */
import { EXIT_NOT_CHECKED } from '../lib/command.ts'

/** The exit code for bad usage or configuration: EX_USAGE of sysexits.h. */
export const EXIT_USAGE = 64

/** Exit codes by signal: 128 + its number, as in a shell. */
export const SIGNAL_EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const

/** Every exit code and what it means, for help texts and docs/cli.md. */
export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [0, 'success'],
  [1, 'the command failed, and said why on standard error'],
  [EXIT_NOT_CHECKED, 'doctor only: no check failed, but one could not be made'],
  [EXIT_USAGE, 'the arguments or the settings are invalid'],
  [
    SIGNAL_EXIT_CODES.SIGINT,
    'ended by SIGINT; serve, webhook, node-agent, redirect, demo and simulate shut down instead',
  ],
  [
    SIGNAL_EXIT_CODES.SIGTERM,
    'ended by SIGTERM; serve, webhook, node-agent, redirect, demo and simulate shut down instead',
  ],
]
