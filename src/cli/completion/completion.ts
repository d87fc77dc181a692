/** `wimds completion`: prints the completion script of a shell, made from the declarations of the commands. */
import { UsageError } from '../../lib/errors.ts'
import { parseFlags } from '../../lib/args.ts'
import { suggest } from '../../lib/suggest.ts'
import type { Command, CommandDeclaration } from '../../lib/command.ts'
import { HELP_FLAG } from '../help.ts'
import { formatBash } from './bash.ts'
import { formatFish } from './fish.ts'
import { formatZsh } from './zsh.ts'

export const SHELLS = ['bash', 'zsh', 'fish'] as const

export const COMPLETION = {
  name: 'completion',
  group: 'About this program',
  summary: 'print a script that completes commands and flags in bash, zsh or fish',
  arguments: { usage: SHELLS.join('|'), choices: SHELLS },
  description:
    'Prints the completion script of a shell. It completes the command wimds from its declaration and runs nothing.',
  flags: {},
  examples: [
    'source <(wimds completion bash)                     # in ~/.bashrc',
    'wimds completion zsh > "${fpath[1]}/_wimds"         # before compinit in ~/.zshrc',
    'wimds completion fish > ~/.config/fish/completions/wimds.fish',
  ],
} as const satisfies CommandDeclaration

const FORMATTERS = { bash: formatBash, zsh: formatZsh, fish: formatFish }

/** Creates the command. It prints the script and returns 0. It throws `UsageError`. */
export function createCompletion(
  declareAll: () => Promise<readonly CommandDeclaration[]>,
): Command {
  return async (args, { stdout }) => {
    const flags = parseFlags(args, COMPLETION.flags, 1)
    const [name] = flags.positionals
    const problems = [...flags.problems]
    const shell = SHELLS.find((each) => each === name)
    if (name === undefined) problems.unshift(`name a shell: ${SHELLS.join(', ')}`)
    else if (shell === undefined) {
      problems.unshift(`${name}: must be one of ${SHELLS.join(', ')}${suggest(name, SHELLS)}`)
    }
    if (problems.length > 0 || shell === undefined) throw new UsageError(problems)
    stdout.write(FORMATTERS[shell](prepare(await declareAll())))
    return 0
  }
}

/** Adds what every command has: `--help`; and the commands as arguments of `help`. */
function prepare(commands: readonly CommandDeclaration[]): readonly CommandDeclaration[] {
  const choices = commands.map((each) => each.name)
  return commands.map((command) => ({
    ...command,
    flags: { ...command.flags, help: HELP_FLAG },
    ...(command.name === 'help' && { arguments: { usage: 'COMMAND', choices } }),
  }))
}
