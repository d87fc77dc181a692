/** Quotes texts for shells and the Azure CLI. */

/** Returns true for a word that needs no quotes, in a shell or a dotenv file. */
export function isPlainWord(text: string): boolean {
  return /^[\w@%+=:,./-]+$/.test(text)
}

/** Returns the text as one shell word, quoted only where it needs to be. */
export function quoteForShell(text: string): string {
  return isPlainWord(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/**
 * Returns true for an argument that the Azure CLI replaces by the content of a file on the machine where it runs:
 * `@PATH`, also behind the first `=`. There is no way to quote it.
 */
export function namesFileForAz(argument: string): boolean {
  return /^(?:[^=]*=)?@/.test(argument)
}
