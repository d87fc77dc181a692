/** Declares `wimds completion`. */
import type { CommandDeclaration } from './declaration.ts'

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
