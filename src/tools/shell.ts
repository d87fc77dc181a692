/** Quotes texts for shells. */

/** Returns true for a word that needs no quotes, in a shell or a dotenv file. */
export function isPlainWord(text: string): boolean {
  return /^[\w@%+=:,./-]+$/.test(text)
}

/** Returns the text as one shell word, quoted only where it needs to be. */
export function quoteForShell(text: string): string {
  return isPlainWord(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
