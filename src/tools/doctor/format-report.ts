/** Formats a report for people: one line for each check, the facts below it, and a fix for each failure. */
import { toLine } from '../../lib/printable.ts'
import type { CheckName, CheckStatus, Failure, Finding, Sections } from './doctor-report.ts'

const SYMBOLS: Readonly<Record<CheckStatus, string>> = {
  ok: '✓',
  failed: '✗',
  not_checked: '–',
  not_needed: '–',
}

/** Returns the report as text that ends with a newline. Only the JSON form has the settings with their default. */
export function formatReport({ settings, checks }: Sections, title: string): string {
  const changed = settings?.filter(({ source }) => source !== 'default') ?? []
  const values = changed.map(({ name, value }) => `${name}=${value}`)
  const findings = checks.flatMap(formatFinding)
  const sections = [
    ...(settings === undefined
      ? [formatSection(title, findings)]
      : [
          `${toLine(title)}\n`,
          formatSection('Settings', values),
          formatSection('Checks', findings),
        ]),
    // Several checks can have the same commands, which are printed once.
    ...new Set(checks.flatMap(formatCommands)),
    formatVerdict(checks),
  ]
  return sections.filter(Boolean).join('\n').split('\n').map(toLine).join('\n')
}

/** Returns the lines under a title; an empty text without lines. A foreign text in a line cannot begin another line. */
function formatSection(title: string, lines: readonly string[]): string {
  if (lines.length === 0) return ''
  return [toLine(title), ...lines.map((line) => `  ${toLine(line)}`), ''].join('\n')
}

/** Returns the lines of a check. */
function formatFinding(finding: Finding): string[] {
  const { check, subject, status, reason, details, warnings = [], failure } = finding
  const first = status === 'not_checked' ? `not checked: ${reason}` : reason
  const [title, ...others] = [...(first === undefined ? [] : [first]), ...details]
  const name = subject === undefined ? formatName(check) : `${formatName(check)} (${subject})`
  return [
    `${SYMBOLS[status]} ${name}${title === undefined ? '' : `: ${title}`}`,
    ...others.map((line) => `  ${line}`),
    ...warnings.map((warning) => `  ! ${warning}`),
    ...(failure === undefined ? [] : formatFailure(failure)),
  ]
}

/** Returns the lines of a failure: its name and problem, the fix and the link. */
function formatFailure({ code, problem, aadsts, explanation, fix, url }: Failure): string[] {
  // Entra ID's own text begins with the number.
  const title = explanation === undefined ? code : `${code}, AADSTS${aadsts}`
  return [
    `  ${title}: ${explanation ?? problem}`,
    ...(fix === undefined ? [] : [`  Fix: ${fix}`]),
    `  See: ${url}`,
    ...(explanation === undefined ? [] : [`  Entra ID: ${problem}`]),
  ]
}

/**
 * Returns a section for each command. Commands are not indented, since the end of a here-document must not be. Only a
 * line by which a pod could imitate a check is.
 */
function formatCommands({ commands = [] }: Finding): string[] {
  return commands.map(({ purpose, command }) => {
    const lines = command.replaceAll(/^(?=[✓✗!–])/gmu, '  ')
    return `${toLine(purpose)}:\n\n${lines}\n`
  })
}

/** Returns the last line. It has the symbol of `ok` only if every check passed or is not needed. */
function formatVerdict(checks: readonly Finding[]): string {
  const failed = checks.filter(({ status }) => status === 'failed')
  const { length: count } = failed
  const notChecked = checks.filter(({ status }) => status === 'not_checked')
  if (count + notChecked.length === 0) return '✓ All checks passed.\n'
  const sentences = [
    count === 0
      ? 'No check failed, but not everything was checked.'
      : `${count} check${count === 1 ? '' : 's'} failed: ${listNames(failed)}.`,
    ...(notChecked.length === 0 ? [] : [`Not checked: ${listNames(notChecked)}.`]),
  ]
  return `${SYMBOLS[count === 0 ? 'not_checked' : 'failed']} ${toLine(sentences.join(' '))}\n`
}

/** Lists the name of each check once. */
function listNames(checks: readonly Finding[]): string {
  return [...new Set(checks.map(({ check }) => formatName(check)))].join(', ')
}

/** Returns the name of a check as people write it. */
function formatName(check: CheckName): string {
  return (NAMES[check] ?? check).replaceAll('_', ' ')
}

const NAMES: Partial<Record<CheckName, string>> = {
  requests: 'requests of applications',
  sdk_variables: 'variables of the application',
  application_proxy: 'proxy of the application',
  api_server: 'API server',
}
