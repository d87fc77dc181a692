/** The report for people: one line for each fact, and the commands that mend what is wrong. */
import type {
  AssertionReport,
  CredentialFix,
  DoctorReport,
  ExchangeReport,
  IdentityReport,
  Problem,
  WayReport,
} from './report.ts'

/** The whole report as text, with an end of line. */
export function reportText(report: DoctorReport): string {
  const sections = [
    section(
      'Settings',
      table(report.settings.map(({ name, value, source }) => [name, value, `(${source})`])),
    ),
    section('Warnings', report.warnings.map(warned)),
    section('Identities', report.identities.flatMap(identityLines)),
    ...report.assertions.map((assertion) =>
      section(`Projected token ${assertion.file}`, assertionLines(assertion)),
    ),
    ...report.ways.map((way) => section(titleOf(way), wayLines(way))),
    section('Clock', clockLines(report.clockSkewSeconds)),
    section('Trial exchanges', report.exchanges.flatMap(exchangeLines)),
  ]
  return [`wimds ${report.version}\n`, ...sections.filter(Boolean), verdict(report)].join('\n')
}

const GOOD = '✓'
const BAD = '✗'

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${title}\n${lines.map((line) => `  ${line}\n`).join('')}`
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => Math.min(row[column]?.length ?? 0, 60))),
  )
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

function identityLines(identity: IdentityReport): string[] {
  const { name, clientId, tenantId, authorityHost, tokenFile, isDefault } = identity
  return [
    `${name}${isDefault ? ' (default)' : ''}`,
    `  client ${clientId}, tenant ${tenantId} at ${authorityHost}`,
    `  token file ${tokenFile}`,
  ]
}

function assertionLines({ ok, error, warnings, ...claims }: AssertionReport): string[] {
  const { issuer, subject, audience, expiresAt } = claims
  const facts = [
    ['issuer', issuer],
    ['subject', subject],
    ['audience', audience?.join(', ')],
    ['expires', expiresAt],
  ] as const
  return [
    ...facts.flatMap(([name, value]) =>
      value === undefined ? [] : [`${ok ? GOOD : BAD} ${name.padEnd(8)}  ${value}`],
    ),
    ...warnings.map(warned),
    ...(error === undefined ? [] : problemLines(error)),
  ]
}

function titleOf({ endpoint, via }: WayReport): string {
  const by = { direct: '', proxy: ' by the HTTP proxy', 'token-proxy': ', the token proxy' }[via]
  return `Way to ${endpoint}${by}`
}

function wayLines({ steps }: WayReport): string[] {
  return steps.map(
    ({ step, ok, detail, durationMs }) =>
      `${ok ? GOOD : BAD} ${step.padEnd(5)}  ${detail} (${durationMs} ms)`,
  )
}

function clockLines(skew: number | undefined): string[] {
  if (skew === undefined) return []
  const size = Math.abs(skew)
  const text =
    size < 1
      ? 'agrees with Entra ID’s to a second'
      : `is ${size} s ${skew > 0 ? 'ahead of' : 'behind'} Entra ID’s`
  return [size > 60 ? warned(text) : `${GOOD} ${text}`]
}

function exchangeLines(exchange: ExchangeReport): string[] {
  const { identity, resource, expiresAt, error, fix } = exchange
  if (error === undefined) {
    return [`${GOOD} ${identity} → ${resource}: a token until ${expiresAt ?? 'soon'}`]
  }
  return [
    `${BAD} ${identity} → ${resource}`,
    ...problemLines(error).map(indented),
    ...(fix === undefined ? [] : fixLines(fix).map(indented)),
  ]
}

function problemLines({ code, message, aadsts, meaning, remedy }: Problem): string[] {
  const title = aadsts === undefined ? code : `${code}, AADSTS${aadsts}`
  if (meaning === undefined) return [`${title}: ${message}`]
  return [`${title}: ${meaning}`, `→ ${remedy ?? ''}`, `Entra ID said: ${message}`]
}

function fixLines({ azManagedIdentity, azApplication, terraform }: CredentialFix): string[] {
  return [
    'To create the credential for a managed identity:',
    `  ${azManagedIdentity}`,
    'for an application registration:',
    `  ${azApplication}`,
    'or for a managed identity with Terraform:',
    ...terraform.split('\n').map(indented),
  ]
}

function verdict({ ok, exchanges, assertions, ways }: DoctorReport): string {
  if (ok) return `${GOOD} All is well.\n`
  const counts = [
    count(assertions.filter((each) => !each.ok).length, 'projected token'),
    count(ways.filter(({ steps }) => steps.some((step) => !step.ok)).length, 'way'),
    count(exchanges.filter((each) => !each.ok).length, 'exchange'),
  ]
  return `${BAD} Not well: ${counts.filter(Boolean).join(', ')}. docs/troubleshooting.md explains each code.\n`
}

function count(number: number, noun: string): string {
  return number === 0 ? '' : `${number} ${noun}${number === 1 ? '' : 's'} failed`
}

function warned(text: string): string {
  return `! ${text}`
}

function indented(line: string): string {
  return `  ${line}`
}
