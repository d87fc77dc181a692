/** Words as a shell takes them. */

/** True for a word that needs no quotes, in a shell or a dotenv file. */
export function isPlainWord(text: string): boolean {
  return /^[\w@%+=:,./-]+$/.test(text)
}

/** The text as one word for a POSIX shell, in quotes only where it needs them. */
export function shellQuoted(text: string): string {
  return isPlainWord(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
