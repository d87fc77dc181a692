/** Declares `wimds help`. */
import type { CommandDeclaration } from './declaration.ts'

export const HELP = {
  name: 'help',
  group: 'About this program',
  summary: 'explain a command, its flags and its exit codes',
  arguments: { usage: '[COMMAND]' },
  description:
    'Lists the commands, or explains one. wimds COMMAND --help and wimds COMMAND -h print the same.',
  flags: {},
} as const satisfies CommandDeclaration
