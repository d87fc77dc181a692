/** Formats the report for people: one line for each fact, and a fix for each failure. */
import type {
  AssertionReport,
  CredentialCommands,
  DoctorReport,
  EndpointReport,
  ExchangeReport,
  IdentityReport,
  Problem,
  SidecarReport,
} from './report.ts'

const PASS = '✓'
const FAIL = '✗'
const WARN = '!'

/** Returns the report as text that ends with a newline. */
export function formatReport(report: DoctorReport): string {
  const { sidecar, identityError, settings } = report
  const sections = [
    formatSection('Settings', formatSettings(settings.filter(isChanged))),
    formatSection('Warnings', report.warnings.map(formatWarning)),
    ...(sidecar === undefined
      ? []
      : [formatSection(`Sidecar ${sidecar.address}`, formatSidecar(sidecar))]),
    formatSection(
      'Identities',
      identityError === undefined
        ? report.identities.flatMap(formatIdentity)
        : formatFailure('no identity', identityError),
    ),
    ...report.assertions.map((assertion) =>
      formatSection(`Projected token ${assertion.file}`, formatAssertion(assertion)),
    ),
    ...report.endpoints.map((endpoint) =>
      formatSection(formatEndpointTitle(endpoint), formatEndpoint(endpoint)),
    ),
    formatSection('Clock', formatClock(report.clockSkewSeconds)),
    formatSection('Token exchanges', report.exchanges.flatMap(formatExchange)),
    ...report.exchanges.map(formatBindingCommands),
    formatSection(
      'Default settings',
      formatSettings(settings.filter((setting) => !isChanged(setting))),
    ),
  ]
  return [`wimds ${report.version}\n`, ...sections.filter(Boolean), formatVerdict(report)].join(
    '\n',
  )
}

function isChanged({ source }: DoctorReport['settings'][number]): boolean {
  return source !== 'default'
}

function formatSection(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${title}\n${lines.map((line) => `  ${line}\n`).join('')}`
}

function formatSettings(settings: DoctorReport['settings']): string[] {
  const width = Math.max(...settings.map(({ name }) => name.length))
  return settings.map(({ name, value }) => `${name.padEnd(width)}  ${value}`)
}

function formatSidecar({ error }: SidecarReport): string[] {
  return error === undefined ? [`${PASS} listens and is ready`] : formatFailure('sidecar', error)
}

function formatIdentity(identity: IdentityReport): string[] {
  const { name, clientId, tenantId, authorityHost, tokenFile, isDefault } = identity
  return [
    `${PASS} ${name}${isDefault ? ' (default)' : ''}`,
    `  client ${clientId}, tenant ${tenantId} at ${authorityHost}`,
    `  token file ${tokenFile}`,
  ]
}

function formatAssertion({ ok, error, warnings, ...claims }: AssertionReport): string[] {
  const { issuer, subject, audience, expiresAt } = claims
  const facts = [
    ['issuer', issuer],
    ['subject', subject],
    ['audience', audience?.join(', ')],
    ['expires', expiresAt],
  ] as const
  return [
    ...facts.flatMap(([name, value]) =>
      value === undefined ? [] : [`${ok ? PASS : ' '} ${name.padEnd(8)}  ${value}`],
    ),
    ...warnings.map(formatWarning),
    ...(error === undefined ? [] : formatFailure('projected token', error)),
  ]
}

function formatEndpointTitle({ endpoint, via }: EndpointReport): string {
  const suffix = { direct: '', proxy: ' through the HTTP proxy', 'token-proxy': ' (token proxy)' }
  return `Connectivity to ${endpoint}${suffix[via]}`
}

function formatEndpoint({ steps, error }: EndpointReport): string[] {
  return [
    ...steps.map(
      ({ step, ok, detail, durationMs }) =>
        `${ok ? PASS : FAIL} ${step.padEnd(5)}  ${detail} (${durationMs} ms)`,
    ),
    ...(error === undefined ? [] : formatProblem(error)),
  ]
}

const MAX_SKEW_SECONDS = 60

function formatClock(skewSeconds: number | undefined): string[] {
  if (skewSeconds === undefined) return []
  const size = Math.abs(skewSeconds)
  if (size < 1) return [`${PASS} Clock skew: OK (less than 1 s)`]
  const skew = `${size} s ${skewSeconds > 0 ? 'ahead of' : 'behind'} the clock of Entra ID`
  return [
    size > MAX_SKEW_SECONDS
      ? formatWarning(`Clock skew: ${skew}. Fix: synchronize the clock of the node`)
      : `${PASS} Clock skew: OK (${skew})`,
  ]
}

function formatExchange(exchange: ExchangeReport): string[] {
  const { identity, resource, expiresAt, error, commands } = exchange
  const title = `${identity} → ${resource}`
  if (error === undefined) return [`${PASS} ${title}: token until ${expiresAt ?? 'unknown'}`]
  return [
    ...formatFailure(title, error),
    ...(commands === undefined ? [] : formatCommands(commands).map(indent)),
  ]
}

function formatFailure(title: string, problem: Problem): string[] {
  return [`${FAIL} ${title}`, ...formatProblem(problem)]
}

function formatProblem({ code, message, aadsts, explanation, fix, url }: Problem): string[] {
  const title = aadsts === undefined ? code : `${code}, AADSTS${aadsts}`
  return [
    `${title}: ${explanation ?? message}`,
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

/** Not indented, since the end of a here-document must not be. */
function formatBindingCommands({ identity, bindingCommands }: ExchangeReport): string {
  if (bindingCommands === undefined) return ''
  const { kubectlApply, azIdentityBinding } = bindingCommands
  return `Allow the service account to use the identity ${identity}:

${kubectlApply}

Create its identity binding, unless there is one:

${azIdentityBinding}
`
}

function formatVerdict(report: DoctorReport): string {
  const { ok, sidecar, identityError, assertions, endpoints, exchanges } = report
  const skipped = [
    ...(sidecar === undefined ? ['the sidecar'] : []),
    ...(exchanges.length === 0 ? ['token exchanges'] : []),
  ]
  const note = skipped.length === 0 ? '' : ` Not checked: ${skipped.join(', ')}.`
  if (ok) return `${PASS} All checks passed.${note}\n`
  const failures = [
    [sidecar?.ok === false ? 1 : 0, 'sidecar'],
    [identityError === undefined ? 0 : 1, 'identities'],
    [countFailed(assertions), 'projected token'],
    [countFailed(endpoints), 'connectivity'],
    [countFailed(exchanges), 'token exchange'],
  ] as const
  const total = failures.reduce((sum, [number]) => sum + number, 0)
  const list = failures
    .filter(([number]) => number > 0)
    .map(([number, name]) => (number === 1 ? name : `${name} (${number})`))
  return `${FAIL} ${total} check${total === 1 ? '' : 's'} failed: ${list.join(', ')}.${note}\n`
}

function countFailed(checks: readonly { readonly ok: boolean }[]): number {
  return checks.filter(({ ok }) => !ok).length
}

function formatWarning(text: string): string {
  return `${WARN} ${text}`
}

function indent(line: string): string {
  return `  ${line}`
}
