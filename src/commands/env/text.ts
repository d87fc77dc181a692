/** Variables as shells, dotenv readers and Kubernetes take them. */
import { isPlainWord, shellQuoted } from '../../lib/shell.ts'

const FORMATS = ['shell', 'dotenv', 'yaml'] as const
export type Format = (typeof FORMATS)[number]

/** True for the name of a format. */
export function isFormat(text: string): text is Format {
  return FORMATS.some((format) => format === text)
}

/** The variables, and in a shell also commands that unset those in `absent`. */
export function environmentText(
  variables: Readonly<Record<string, string>>,
  absent: readonly string[],
  format: Format,
): string {
  const entries = Object.entries(variables)
  if (format === 'yaml') {
    return entries
      .map(([name, value]) => `- name: ${name}\n  value: ${JSON.stringify(value)}\n`)
      .join('')
  }
  if (format === 'dotenv') {
    return entries.map(([name, value]) => `${name}=${dotenvQuoted(value)}\n`).join('')
  }
  const unset = absent.length > 0 ? `unset ${absent.join(' ')}\n` : ''
  return unset + entries.map(([name, value]) => `export ${name}=${shellQuoted(value)}\n`).join('')
}

/** Single quotes are taken to the letter; a value that holds them needs the other kind. */
function dotenvQuoted(value: string): string {
  if (isPlainWord(value)) return value
  return value.includes("'") ? JSON.stringify(value) : `'${value}'`
}
