/** The completion script of bash. */
import type { FlagDeclaration } from '../../lib/args.ts'
import type { CommandDeclaration } from '../../lib/command.ts'

/** Formats a script that works without the package bash-completion, and with bash 3.2 of macOS. */
export function formatBash(commands: readonly CommandDeclaration[]): string {
  const names = commands.map(({ name }) => name)
  return `# Completes wimds in bash. Printed by: wimds completion bash
_wimds() {
  local word=\${COMP_WORDS[COMP_CWORD]} flag=\${COMP_WORDS[COMP_CWORD-1]} command=\${COMP_WORDS[1]}
  # Bash splits --flag=value into three words.
  if [[ $word == '=' ]]; then
    word=
  elif [[ $flag == '=' ]]; then
    flag=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  COMPREPLY=()
  if [[ $COMP_CWORD -eq 1 ]]; then
    _wimds_words '${names.join(' ')}'
    return
  fi
  case "$command $flag" in
${commands.flatMap(formatFlagValues).join('')}  esac
  case $command in
${commands.map(formatCommand).join('')}  esac
}

# Offers the words. What -o default adds, file names, is left out.
_wimds_words() {
  compopt +o default 2>/dev/null
  COMPREPLY=($(compgen -W "$1" -- "$word"))
}

# Offers the words after the last comma of a list.
_wimds_list() {
  compopt +o default -o nospace 2>/dev/null
  local list=
  if [[ $word == *,* ]]; then list=\${word%,*},; fi
  COMPREPLY=($(compgen -P "$list" -W "$1" -- "\${word##*,}"))
}

complete -o default -F _wimds wimds
`
}

/** Formats a line for each way in which values of the command's flags are completed. */
function formatFlagValues({ name, flags }: CommandDeclaration): string[] {
  const withValue = Object.entries(flags).filter(([, { value }]) => value !== undefined)
  const byAction = Map.groupBy(withValue, ([, declaration]) => formatAction(declaration))
  return [...byAction].map(([action, entries]) => {
    const patterns = entries.flatMap(([flag, { short }]) => [
      `'${name} --${flag}'`,
      ...(short === undefined ? [] : [`'${name} -${short}'`]),
    ])
    return `    ${patterns.join('|')}) ${action}; return ;;\n`
  })
}

function formatAction({ choices, isList, completion }: FlagDeclaration): string {
  if (choices !== undefined)
    return `${isList ? '_wimds_list' : '_wimds_words'} '${choices.join(' ')}'`
  if (completion === undefined) return `_wimds_words ''`
  // With an empty reply, readline completes file names.
  return completion === 'file' ? ':' : 'COMPREPLY=($(compgen -d -- "$word"))'
}

function formatCommand({
  name,
  flags,
  arguments: { choices = [], completion } = { usage: '' },
}: CommandDeclaration) {
  const names = Object.keys(flags).map((flag) => `--${flag}`)
  const words = completion === 'file' ? ':' : `_wimds_words '${choices.join(' ')}'`
  return `    ${name}) if [[ $word == -* ]]; then _wimds_words '${names.join(' ')}'; else ${words}; fi ;;\n`
}
