/** Declares `wimds version`. */
import { type CommandDeclaration, OUTPUT_FLAGS } from './declaration.ts'

export const VERSION_COMMAND = {
  name: 'version',
  group: 'About this program',
  summary: 'print the version',
  description: 'Prints the version of wimds and that of its Node.',
  flags: OUTPUT_FLAGS,
} as const satisfies CommandDeclaration
