/** Formats a report for people: one line for each check, the facts below it, and a fix for each failure. */
import { toLine } from '../../lib/printable.ts'
import { DOCS_URL } from '../../lib/version.ts'
import type { CheckName, CheckStatus, DoctorReport, Failure, Finding } from './doctor-report.ts'

const SYMBOLS: Readonly<Record<CheckStatus, string>> = {
  ok: '✓',
  failed: '✗',
  not_checked: '–',
  not_needed: '–',
  skipped: '–',
}

/** Returns the report as text that ends with a newline. Settings with their default are in only the JSON form. */
export function formatReport(report: DoctorReport, title: string): string {
  const { settings, checks } = report
  const changed = settings?.filter(({ source }) => source !== 'default') ?? []
  const values = changed.map(({ name, value }) => `${name}=${value}`)
  const findings = groupUnmade(checks).flatMap(formatFindings)
  const sections = isUnconfigured(report)
    ? [`${title}\n`, WHERE_TO_RUN]
    : [
        ...(settings === undefined
          ? [formatSection(title, findings)]
          : [
              `${toLine(title)}\n`,
              formatSection('Settings', values),
              formatSection('Checks', findings),
            ]),
        // Several checks can have one fix.
        ...new Set(checks.flatMap(formatCommands)),
        formatVerdict(checks),
      ]
  return sections.filter(Boolean).join('\n').split('\n').map(toLine).join('\n')
}

/** Returns true where nothing is set, such as on a laptop, where doctor was tried first. */
function isUnconfigured({ settings, checks }: DoctorReport): boolean {
  return (
    settings?.every(({ source }) => source === 'default') === true &&
    checks.some(({ check, status }) => check === 'settings' && status === 'failed')
  )
}

const WHERE_TO_RUN = `No setting of a sidecar is set here. Run one of:
  wimds doctor --pre                 before an installation: checks the cluster
  wimds doctor --cluster             checks an installation
  wimds doctor NAMESPACE/POD         checks an injected pod
To check a sidecar on this machine, set its variables: ${DOCS_URL}/configuration.html
`

/** Returns the lines under a title; an empty text without lines. A foreign text in a line cannot begin another one. */
function formatSection(title: string, lines: readonly string[]): string {
  if (lines.length === 0) return ''
  return [toLine(title), ...lines.map((line) => `  ${toLine(line)}`), ''].join('\n')
}

/** Joins neighbours that were not checked for one reason. */
function groupUnmade(checks: readonly Finding[]): Finding[][] {
  const groups: Finding[][] = []
  for (const finding of checks) {
    const { status, reason, details } = finding
    const [last] = groups.at(-1) ?? []
    const isSame = last?.reason === reason && last?.details.join() === details.join()
    if (status === 'not_checked' && isSame) groups.at(-1)?.push(finding)
    else groups.push([finding])
  }
  return groups
}

/** Returns the lines of checks with one outcome; none if a flag left them out, which the verdict says. */
function formatFindings([finding, ...same]: readonly Finding[]): string[] {
  if (finding === undefined) return []
  const { status, reason, details, warnings = [], failure } = finding
  if (status === 'skipped') return []
  const first = status === 'not_checked' ? `not checked: ${reason}` : reason
  const [title, ...others] = [...(first === undefined ? [] : [first]), ...details]
  const names = [finding, ...same].map(({ check, subject }) =>
    subject === undefined ? formatName(check) : `${formatName(check)} (${subject})`,
  )
  return [
    `${SYMBOLS[status]} ${names.join(', ')}${title === undefined ? '' : `: ${title}`}`,
    ...others.map((line) => `  ${line}`),
    ...warnings.map((warning) => `  ! ${warning}`),
    ...(failure === undefined ? [] : formatFailure(failure)),
  ]
}

/** Returns the lines of a failure: its name and problem, the fix and the link. */
function formatFailure({ code, problem, aadsts, explanation, fix, url }: Failure): string[] {
  const text = explanation ?? problem
  // Entra ID's own text begins with it.
  const hasNumber = aadsts === undefined || text.startsWith(`AADSTS${aadsts}`)
  return [
    `  ${hasNumber ? code : `${code}, AADSTS${aadsts}`}: ${text}`,
    ...(fix === undefined ? [] : [`  Fix: ${fix}`]),
    `  See: ${url}`,
    ...(explanation === undefined ? [] : [`  Entra ID: ${problem}`]),
  ]
}

/**
 * Returns a section for each command. It is not indented, since the end of a here-document must not be, except for a
 * line by which a pod could imitate a check.
 */
function formatCommands({ commands = [] }: Finding): string[] {
  return commands.map(({ purpose, command }) => {
    const lines = command.replaceAll(/^(?=[✓✗!–])/gmu, '  ')
    return `${toLine(purpose)}:\n\n${lines}\n`
  })
}

/** Returns the last line: the passing symbol only if every check was made, or is not needed. */
function formatVerdict(checks: readonly Finding[]): string {
  const failed = checks.filter(({ status }) => status === 'failed')
  const { size } = new Set(failed.map(({ check }) => check))
  const notChecked = checks.filter(({ status }) => status === 'not_checked')
  const skipped = checks.filter(({ status }) => status === 'skipped')
  if (failed.length + notChecked.length + skipped.length === 0) return '✓ All checks passed.\n'
  const sentences = [
    failed.length === 0
      ? 'No check failed, but not everything was checked.'
      : `${size} check${size === 1 ? '' : 's'} failed: ${listNames(failed)}.`,
    ...(notChecked.length === 0 ? [] : [`Not checked: ${listNames(notChecked)}.`]),
    ...(skipped.length === 0 ? [] : [`Left out by flags: ${listNames(skipped)}.`]),
  ]
  return `${SYMBOLS[failed.length === 0 ? 'not_checked' : 'failed']} ${toLine(sentences.join(' '))}\n`
}

/** Lists each name once, with its number where there are several. */
function listNames(checks: readonly Finding[]): string {
  return [...Map.groupBy(checks, ({ check }) => check)]
    .map(([name, { length }]) => `${formatName(name)}${length === 1 ? '' : ` (${length})`}`)
    .join(', ')
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
