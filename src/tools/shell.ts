/** Quotes texts for shells and the Azure CLI, and formats commands. */

/** Returns true for a word that needs no quotes, in a shell or a dotenv file. */
export function isPlainWord(text: string): boolean {
  return /^[\w@%+=:,./-]+$/.test(text)
}

/** Returns the text as one shell word, quoted only where it needs to be. */
export function quoteForShell(text: string): string {
  return isPlainWord(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/** A command with its flags as data, so that none has to be found in its text again. */
export interface ShellCommand {
  /** The words before the flags, such as `az identity list`. */
  readonly words: string
  /** In their order, without dashes. */
  readonly flags: readonly (readonly [name: string, value: string])[]
}

/** Returns the command with its values quoted. */
export function formatCommand({ words, flags }: ShellCommand): string {
  const formatted = flags.map(([name, value]) => `--${name} ${quoteForShell(value)}`)
  return [words, ...formatted].join(' ')
}

/**
 * Returns true for an argument that the Azure CLI replaces by the content of a file on the machine where it runs:
 * `@PATH`, also behind the first `=`. There is no way to quote it.
 */
export function namesFileForAz(argument: string): boolean {
  return /^(?:[^=]*=)?@/.test(argument)
}
