/** Lists the outcome of each check of a report, so that nothing counts as right that was not checked. */
import { formatClient } from './requests-check.ts'
import type { CheckName, CheckStatus, CheckSummary, DoctorReport, Problem } from './report.ts'

/** What was left out by flags. */
interface LeftOut {
  readonly sidecar: boolean
  readonly exchange: boolean
}

type Findings = Omit<DoctorReport, 'ok' | 'checks'>

const SETTINGS_INVALID = 'the settings are invalid'
const NEEDS_SETTINGS = [
  'identity',
  'projected_token',
  'connectivity',
  'clock',
  'token_exchange',
] as const
const NEEDS_SIDECAR = ['sidecar', 'admin_port', 'route', 'requests'] as const

/** Returns every check, in the order of the report. */
export function summarizeChecks(report: Findings, leftOut: LeftOut): CheckSummary[] {
  return [
    toSummary('settings', report.settingsError),
    ...summarizeSidecar(report, leftOut),
    ...(report.settingsError === undefined
      ? [
          toSummary('identity', report.identityError),
          ...summarizeFederation(report, leftOut.exchange),
        ]
      : NEEDS_SETTINGS.map((check) => ({
          check,
          status: 'not_checked' as const,
          reason: SETTINGS_INVALID,
        }))),
  ]
}

/** A report of any kind; only that of a pod has one `inside`. */
interface Checked {
  readonly checks: readonly CheckSummary[]
  readonly inside?: Checked | undefined
}

/** Returns every check of the report, also those inside the pod. */
export function listChecks({ checks, inside }: Checked): readonly CheckSummary[] {
  return [...checks, ...(inside?.checks ?? [])]
}

/** Returns true if every check passed, is not needed, or was left out by a flag. */
export function isOk(report: Checked): boolean {
  return listChecks(report).every(({ status }) => status !== 'failed' && status !== 'not_checked')
}

function summarizeSidecar(
  { sidecar, admin, route, requests }: Findings,
  leftOut: LeftOut,
): readonly CheckSummary[] {
  if (sidecar === undefined) {
    return NEEDS_SIDECAR.map((check) =>
      leftOut.sidecar
        ? { check, status: 'skipped' }
        : { check, status: 'not_checked', reason: SETTINGS_INVALID },
    )
  }
  const isListening = sidecar.ok || sidecar.error?.code === 'sidecar_not_ready'
  const isAdminPortOff = admin === undefined && isListening
  const off = { status: 'not_needed', reason: 'WIMDS_ADMIN_LISTEN is off' } as const
  return [
    { ...toSummary('sidecar', sidecar.error), subject: sidecar.address },
    isAdminPortOff
      ? { check: 'admin_port', ...off }
      : admin === undefined
        ? { check: 'admin_port', status: 'not_checked', reason: 'the sidecar does not listen' }
        : { ...toSummary('admin_port', admin.error), subject: admin.address },
    summarizeRoute(route),
    ...(isAdminPortOff ? [{ check: 'requests', ...off } as const] : summarizeRequests(requests)),
  ]
}

function summarizeRequests(requests: Findings['requests']): readonly CheckSummary[] {
  const check = 'requests'
  const { notChecked: reason, failed = [] } = requests ?? {}
  if (reason !== undefined) return [{ check, status: 'not_checked', reason }]
  const failures = failed
    .filter(({ needsFix }) => needsFix)
    .map((each) => ({ ...toSummary(check, each.error), subject: formatClient(each) }))
  return failures.length === 0 ? [{ check, status: 'ok' }] : failures
}

function summarizeRoute(route: Findings['route']): CheckSummary {
  const check = 'route'
  if (route === undefined) return { check, status: 'not_checked' }
  const { status, detail, error } = route
  return {
    check,
    status,
    ...(error !== undefined && { code: error.code }),
    ...(isUnchecked(status) && { reason: detail }),
  }
}

function summarizeFederation(report: Findings, isExchangeLeftOut: boolean): CheckSummary[] {
  return [
    ...report.assertions.map(({ file, error }) => ({
      ...toSummary('projected_token', error),
      subject: file,
    })),
    ...report.endpoints.map(({ endpoint, error }) => ({
      ...toSummary('connectivity', error),
      subject: endpoint,
    })),
    summarizeClock(report, isExchangeLeftOut),
    ...report.exchanges.map(summarizeExchange),
    ...summarizeNoExchange(report, isExchangeLeftOut),
  ]
}

function summarizeClock(
  { clockSkewSeconds, clockError }: Findings,
  isExchangeLeftOut: boolean,
): CheckSummary {
  if (clockSkewSeconds !== undefined) return toSummary('clock', clockError)
  return isExchangeLeftOut
    ? { check: 'clock', status: 'skipped' }
    : { check: 'clock', status: 'not_checked', reason: 'Entra ID did not answer an exchange' }
}

function summarizeExchange(exchange: Findings['exchanges'][number]): CheckSummary {
  const { identity, resource, error, notChecked: reason } = exchange
  const subject = `${identity} → ${resource}`
  return reason === undefined
    ? { ...toSummary('token_exchange', error), subject }
    : { check: 'token_exchange', status: 'not_checked', reason, subject }
}

/** Returns why there is no exchange at all; nothing if there is one. */
function summarizeNoExchange(
  { identityError }: Findings,
  isExchangeLeftOut: boolean,
): readonly CheckSummary[] {
  const check = 'token_exchange'
  if (isExchangeLeftOut) return [{ check, status: 'skipped' }]
  return identityError === undefined
    ? []
    : [{ check, status: 'not_checked', reason: 'no identity is configured' }]
}

function toSummary(check: CheckName, error: Problem | undefined): CheckSummary {
  return error === undefined
    ? { check, status: 'ok' }
    : { check, status: 'failed', code: error.code }
}

function isUnchecked(status: CheckStatus): boolean {
  return status === 'not_checked' || status === 'not_needed' || status === 'skipped'
}
