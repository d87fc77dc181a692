/** The completion script of fish. */
import type { FlagDeclaration } from '../../lib/args.ts'
import type { CommandDeclaration } from '../../lib/command.ts'

/** Formats a script that can be sourced, or put into fish's folder `completions`. */
export function formatFish(commands: readonly CommandDeclaration[]): string {
  return `# Completes wimds in fish. Printed by: wimds completion fish
function __wimds_command
    set -l words (commandline -opc)
    test "$words[2]" = "$argv[1]"
end

complete -c wimds -f
${commands.map(({ name, summary }) => formatLine('', `-a ${name}`, summary)).join('')}${commands.map(formatCommand).join('')}`
}

function formatCommand({ name, flags, arguments: argument }: CommandDeclaration): string {
  const lines = Object.entries(flags).map(([flag, declaration]) =>
    formatLine(name, formatFlag(flag, declaration), declaration.help),
  )
  if (argument?.choices) lines.push(formatLine(name, `-a ${quote(argument.choices.join(' '))}`))
  if (argument?.completion === 'file') lines.push(formatLine(name, '-F'))
  return lines.join('')
}

function formatFlag(flag: string, { value, short, choices, isList, completion }: FlagDeclaration) {
  const names = short === undefined ? `-l ${flag}` : `-s ${short} -l ${flag}`
  if (value === undefined) return names
  if (choices !== undefined) return `${names} -x -a ${quote(formatChoices(choices, isList))}`
  if (completion === undefined) return `${names} -x`
  return completion === 'file' ? `${names} -r -F` : `${names} -x -a '(__fish_complete_directories)'`
}

function formatChoices(choices: readonly string[], isList = false): string {
  const words = choices.join(' ')
  return isList ? `(__fish_complete_list , 'string split " " "${words}"')` : words
}

/** Formats a line for a command, or for the word after `wimds` if the command is empty. */
function formatLine(command: string, completion: string, description?: string): string {
  const condition = `__wimds_command ${quote(command)}`
  const text = description === undefined ? '' : ` -d ${quote(description)}`
  return `complete -c wimds -n ${quote(condition)} ${completion}${text}\n`
}

/** Quotes a text for fish, which within single quotes escapes a quote and a backslash by a backslash. */
const quote = (text: string) => `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`
