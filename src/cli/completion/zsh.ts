/** The completion script of zsh. */
import { quoteForShell } from '../../lib/shell.ts'
import type { FlagDeclaration } from '../../lib/args.ts'
import type { CommandDeclaration } from '../../lib/command.ts'

/** Formats a script that can be sourced, or put into a folder of `fpath`. */
export function formatZsh(commands: readonly CommandDeclaration[]): string {
  const names = commands.map(({ name, summary }) =>
    quoteForShell(`${name}:${summary.replaceAll(':', String.raw`\:`)}`),
  )
  return `#compdef wimds
# Completes wimds in zsh. Printed by: wimds completion zsh
_wimds() {
  local curcontext=$curcontext state line
  local -a commands=(
${names.map((each) => `    ${each}\n`).join('')}  )
  _arguments -C '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe -t commands command commands ;;
    argument)
      case $words[1] in
${commands.map(formatCommand).join('')}      esac
      ;;
  esac
}

if [[ \${funcstack[1]} == _wimds ]]; then _wimds "$@"; else compdef _wimds wimds; fi
`
}

function formatCommand({ name, flags, arguments: argument }: CommandDeclaration): string {
  const specs = Object.entries(flags).map(([flag, declaration]) => formatFlag(flag, declaration))
  if (argument?.choices) specs.push(`'1:argument:(${argument.choices.join(' ')})'`)
  if (argument?.completion === 'file') specs.push(`'*:file:_files'`)
  const lines = specs.map((spec) => ` \\\n          ${spec}`)
  return `        ${name}) _arguments${lines.join('')} ;;\n`
}

/** Formats a specification of `_arguments`: `'--port=[the port]:PORT: '`. */
function formatFlag(flag: string, declaration: FlagDeclaration): string {
  const { short, help, isRepeatable } = declaration
  const text = `[${escape(help)}]${formatValue(declaration)}`
  const isSwitch = declaration.value === undefined
  const long = isSwitch ? `--${flag}` : `--${flag}=`
  if (short === undefined) return quoteForShell(`${isRepeatable ? '*' : ''}${long}${text}`)
  return `'(-${short} --${flag})'{-${short}${isSwitch ? '' : '+'},${long}}${quoteForShell(text)}`
}

function formatValue({ value, choices, isList, completion }: FlagDeclaration): string {
  if (value === undefined) return ''
  if (choices !== undefined && isList) return `:${value}:_values -s , ${value} ${choices.join(' ')}`
  if (choices !== undefined) return `:${value}:(${choices.join(' ')})`
  if (completion === undefined) return `:${escape(value)}: `
  return `:${value}:${completion === 'file' ? '_files' : '_files -/'}`
}

const escape = (text: string) => text.replaceAll(/[\\[\]:]/g, String.raw`\$&`)
