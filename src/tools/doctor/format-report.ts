/** Formats the report for people: one line for each fact, and a fix for each failure. */
import type { CredentialCommands } from '../../sidecar/exchange/credential-commands.ts'
import { SKEW_FIX, WARN_SKEW_MS } from '../../sidecar/exchange/clock-skew.ts'
import { splitFix } from '../../lib/describe-error.ts'
import { firstItems } from '../../lib/first-items.ts'
import { toLine } from '../../lib/printable.ts'
import { formatClient } from './requests-check.ts'
import type {
  AssertionReport,
  CheckName,
  CheckStatus,
  CheckSummary,
  DoctorReport,
  EndpointReport,
  ExchangeReport,
  FailedRequestsReport,
  IdentityReport,
  Outcome,
  Failure,
} from './doctor-report.ts'

const PASS = '✓'
const FAIL = '✗'
const WARN = '!'
/** Neither passed nor failed. */
const NOT_CHECKED = '–'

/** Returns the symbol of an outcome. */
export function formatStatus(status: CheckStatus): string {
  return status === 'ok' ? PASS : status === 'failed' ? FAIL : NOT_CHECKED
}

export interface FormatOptions {
  /** Also prints the settings that have their default, and the checks where nothing is set. */
  readonly isVerbose: boolean
}

/** Returns the report as text that ends with a newline. */
export function formatReport(report: DoctorReport, options: FormatOptions): string {
  if (!options.isVerbose && isUnconfigured(report) && report.sidecar?.status !== 'ok') {
    return joinSections([`wimds ${report.version}\n`, WHERE_TO_RUN, HOW_TO_SEE_ALL])
  }
  return joinSections([
    `wimds ${report.version}\n`,
    ...formatSections(report, options),
    formatVerdict(report.checks),
  ])
}

/** Joins the sections that are not empty by empty lines. */
export function joinSections(sections: readonly string[]): string {
  return sections.filter(Boolean).join('\n').split('\n').map(toLine).join('\n')
}

/** Returns the sections of the report, without the version and the verdict. */
export function formatSections(report: DoctorReport, { isVerbose }: FormatOptions): string[] {
  const { settings, settingsFailure } = report
  return [
    ...(isUnconfigured(report) ? [WHERE_TO_RUN] : []),
    formatSection('Settings', [
      ...formatSettings(settings.filter(isChanged)),
      ...(settingsFailure === undefined ? [] : formatInvalidSettings(report, settingsFailure)),
    ]),
    formatSection('Warnings', report.warnings.map(formatWarning)),
    formatSection('Sidecar', formatSidecar(report)),
    formatSection('Route 169.254.169.254:80', formatRoute(report)),
    formatSection('Identities', formatIdentities(report)),
    ...report.assertions.map((assertion) =>
      formatSection(`Projected token ${assertion.file}`, formatAssertion(assertion)),
    ),
    ...report.endpoints.map((endpoint) =>
      formatSection(formatEndpointTitle(endpoint), formatEndpoint(endpoint)),
    ),
    formatSection('Clock', formatClock(report)),
    formatSection('Token exchanges', report.exchanges.flatMap(formatExchange)),
    ...report.exchanges.map(formatBindingCommands),
    formatSection('Requests of applications', formatRequests(report)),
    ...(isVerbose
      ? [formatSection('Default settings', formatSettings(settings.filter(hasDefault)))]
      : []),
  ]
}

/** Returns true where nothing is set, such as on a laptop, where doctor was tried first. */
function isUnconfigured({ settings, settingsFailure }: DoctorReport): boolean {
  return settingsFailure !== undefined && settings.every(hasDefault)
}

const WHERE_TO_RUN = `No setting of a sidecar is set here. Run one of:
  wimds doctor --pre                 before an installation: checks the cluster
  wimds doctor --pod NAMESPACE/POD   checks an injected pod
To check a sidecar on this machine, set its variables, which docs/configuration.md describes.
`

const HOW_TO_SEE_ALL = 'Without them the checks fail; --verbose prints each.\n'

function isChanged({ source }: DoctorReport['settings'][number]): boolean {
  return source !== 'default'
}

function hasDefault({ source }: DoctorReport['settings'][number]): boolean {
  return source === 'default'
}

/** Returns the lines under a title; an empty text without lines. A foreign text in a line cannot begin another one. */
export function formatSection(title: string, lines: readonly string[]): string {
  if (lines.length === 0) return ''
  return [toLine(title), ...lines.map((line) => `  ${toLine(line)}`), ''].join('\n')
}

function formatSettings(settings: DoctorReport['settings']): string[] {
  const width = Math.max(...settings.map(({ name }) => name.length))
  return settings.map(({ name, value }) => `${name.padEnd(width)}  ${value}`)
}

function formatInvalidSettings(report: DoctorReport, failure: Failure): string[] {
  const { problems = [] } = report
  return [
    `${FAIL} invalid settings`,
    ...problems.map((problem) => `  ${problem}`),
    ...formatFailure({ ...failure, message: 'wimds serve does not start with these settings' }),
  ]
}

function formatSidecar({ sidecar, admin }: DoctorReport): string[] {
  if (sidecar === undefined || admin === undefined) return []
  const adminPort = admin.address === undefined ? 'admin port' : `${admin.address} (admin port)`
  return [
    ...formatOutcome(sidecar, `${sidecar.address}`, ' listens and is ready'),
    ...formatOutcome(admin, adminPort, ' answers'),
  ]
}

function formatRoute({ route }: DoctorReport): string[] {
  if (route === undefined) return []
  const { status, detail, failure } = route
  if (failure !== undefined) return formatFailed('route', failure)
  const { problem, fix } = splitFix(formatReason(route) ?? `${detail}`)
  return [`${formatStatus(status)} ${problem}`, ...(fix === undefined ? [] : [`  Fix: ${fix}`])]
}

/** Returns the lines of a check: its title with what a passed check has found, or why it failed or was not made. */
function formatOutcome(outcome: Outcome, title: string, found: string): string[] {
  const { status, failure } = outcome
  if (failure !== undefined) return formatFailed(title, failure)
  return [
    `${formatStatus(status)} ${title}${status === 'ok' ? found : `: ${formatReason(outcome)}`}`,
  ]
}

/** Returns why a check was not made; undefined if it was. */
export function formatReason({ status, reason }: Omit<Outcome, 'failure'>): string | undefined {
  return status === 'not_checked' ? `not checked: ${reason}` : reason
}

function formatRequests({ requests }: DoctorReport): string[] {
  if (requests === undefined) return []
  const { status, since = 'its start', failed } = requests
  const reason = formatReason(requests)
  if (reason !== undefined) return [`${formatStatus(status)} ${reason}`]
  if (failed.length === 0) return [`${PASS} none failed since ${since}`]
  const groups = Map.groupBy(failed, ({ needsFix, failure }) => `${failure.code} ${needsFix}`)
  return [`failed since ${since}:`, ...[...groups.values()].flatMap(formatFailedRequests)]
}

/** Returns the lines of the requests with one code; the latest comes first and has the message. */
function formatFailedRequests(failed: readonly FailedRequestsReport[]): string[] {
  const [latest] = failed
  if (latest === undefined) return []
  const { lastAt, needsFix, failure } = latest
  const clients = failed.map((each) => `${each.count} of ${formatClient(each)}`)
  const title = `${firstItems(clients).join(', ')}, the last at ${lastAt}`
  if (needsFix) return formatFailed(title, failure)
  return [
    formatWarning(`${title}: ${failure.code}`),
    ...(failure.fix === undefined ? [] : [indent(`Fix: ${failure.fix}`)]),
  ]
}

function formatIdentities({ identities, identityFailure }: DoctorReport): string[] {
  return identityFailure === undefined
    ? identities.flatMap(formatIdentity)
    : formatFailed('no identity', identityFailure)
}

function formatIdentity(identity: IdentityReport): string[] {
  const { name, clientId, tenantId, authorityHost, tokenFile, isDefault } = identity
  return [
    `${PASS} ${name}${isDefault ? ' (default)' : ''}`,
    `  client ${clientId}, tenant ${tenantId} at ${authorityHost}`,
    `  token file ${tokenFile}`,
  ]
}

function formatAssertion({ status, failure, warnings, ...claims }: AssertionReport): string[] {
  const { issuer, subject, audience, expiresAt } = claims
  const facts = [
    ['issuer', issuer],
    ['subject', subject],
    ['audience', audience?.join(', ')],
    ['expires', expiresAt],
  ] as const
  return [
    ...facts.flatMap(([name, value]) =>
      value === undefined ? [] : [`${status === 'ok' ? PASS : ' '} ${name.padEnd(8)}  ${value}`],
    ),
    ...warnings.map(formatWarning),
    ...(failure === undefined ? [] : formatFailed('projected token', failure)),
  ]
}

function formatEndpointTitle({ endpoint, via }: EndpointReport): string {
  const suffix = { direct: '', proxy: ' through the HTTP proxy', 'token-proxy': ' (token proxy)' }
  return `Connectivity to ${endpoint}${suffix[via]}`
}

function formatEndpoint({ steps, failure }: EndpointReport): string[] {
  return [
    ...steps.map(
      ({ step, ok, detail, durationMs }) =>
        `${ok ? PASS : FAIL} ${step.padEnd(5)}  ${detail} (${durationMs} ms)`,
    ),
    ...(failure === undefined ? [] : formatFailure(failure)),
  ]
}

function formatClock({ clock }: DoctorReport): string[] {
  const { skewSeconds, failure } = clock ?? {}
  if (skewSeconds === undefined) return []
  if (failure !== undefined) return formatFailed('clock', failure)
  const size = Math.abs(skewSeconds)
  if (size < 1) return [`${PASS} Clock skew: OK (less than 1 s)`]
  const skew = `${size} s ${skewSeconds > 0 ? 'ahead of' : 'behind'} the clock of Entra ID`
  return [
    size * 1000 > WARN_SKEW_MS
      ? formatWarning(`Clock skew: ${skew}. Fix: ${SKEW_FIX}`)
      : `${PASS} Clock skew: OK (${skew})`,
  ]
}

function formatExchange(exchange: ExchangeReport): string[] {
  const { identity, resource, expiresAt, commands } = exchange
  return [
    ...formatOutcome(exchange, `${identity} → ${resource}`, `: token until ${expiresAt}`),
    ...(commands === undefined ? [] : formatCommands(commands).map(indent)),
  ]
}

function formatFailed(title: string, failure: Failure): string[] {
  return [`${FAIL} ${title}`, ...formatFailure(failure)]
}

/** Returns the lines of a failure: its name and message, the fix and the link. */
export function formatFailure({ code, message, aadsts, explanation, fix, url }: Failure): string[] {
  const text = explanation ?? message
  // Entra ID's own text begins with it.
  const hasNumber = aadsts === undefined || text.startsWith(`AADSTS${aadsts}`)
  return [
    `${hasNumber ? code : `${code}, AADSTS${aadsts}`}: ${text}`,
    ...(fix === undefined ? [] : [`Fix: ${fix}`]),
    `See: ${url}`,
    ...(explanation === undefined ? [] : [`Entra ID: ${message}`]),
  ].map(indent)
}

function formatCommands({ azManagedIdentity, azApplication, terraform }: CredentialCommands) {
  return [
    'Create the federated credential of a managed identity:',
    `  ${azManagedIdentity}`,
    'or of an application registration:',
    `  ${azApplication}`,
    'or of a managed identity with Terraform:',
    ...terraform.split('\n').map(indent),
  ]
}

/** Formats the commands of an identity binding, not indented, since the end of a here-document must not be. */
function formatBindingCommands({ identity, bindingCommands }: ExchangeReport): string {
  if (bindingCommands === undefined) return ''
  const { kubectlApply, azIdentityBinding } = bindingCommands
  return `Allow the service account to use the identity ${identity}:

${kubectlApply}

Create its identity binding, unless there is one:

${azIdentityBinding}
`
}

/** Returns the last line: the passing symbol only if every check was made, or is not needed. */
export function formatVerdict(checks: readonly CheckSummary[]): string {
  const failed = checks.filter(({ status }) => status === 'failed')
  const { size } = new Set(failed.map(({ check }) => check))
  const notChecked = checks.filter(({ status }) => status === 'not_checked')
  const skipped = checks.filter(({ status }) => status === 'skipped')
  if (failed.length + notChecked.length + skipped.length === 0)
    return `${PASS} All checks passed.\n`
  const sentences = [
    failed.length === 0
      ? 'No check failed, but not everything was checked.'
      : `${size} check${size === 1 ? '' : 's'} failed: ${listNames(failed)}.`,
    ...(notChecked.length === 0 ? [] : [`Not checked: ${listNames(notChecked)}.`]),
    ...(skipped.length === 0 ? [] : [`Left out by flags: ${listNames(skipped)}.`]),
  ]
  return `${failed.length === 0 ? NOT_CHECKED : FAIL} ${toLine(sentences.join(' '))}\n`
}

/** Lists each name once, with its number where there are several. */
function listNames(checks: readonly CheckSummary[]): string {
  return [...Map.groupBy(checks, ({ check }) => check)]
    .map(([name, { length }]) => `${formatName(name)}${length === 1 ? '' : ` (${length})`}`)
    .join(', ')
}

/** Returns the name of a check as people write it. */
export function formatName(check: CheckName): string {
  return (NAMES[check] ?? check).replaceAll('_', ' ')
}

const NAMES: Partial<Record<CheckName, string>> = {
  requests: 'requests of applications',
  sdk_variables: 'variables of the application',
  application_proxy: 'proxy of the application',
  doctor_inside: 'doctor in the sidecar',
  api_server: 'API server',
}

function formatWarning(text: string): string {
  return `${WARN} ${text}`
}

function indent(line: string): string {
  return `  ${line}`
}
