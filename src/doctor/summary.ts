/** Lists the outcome of each check of a report, so that nothing counts as right that was not checked. */
import type { CheckStatus, CheckSummary, DoctorReport, Problem } from './report.ts'

/** What was left out by flags. */
interface LeftOut {
  readonly sidecar: boolean
  readonly exchange: boolean
}

type Findings = Omit<DoctorReport, 'ok' | 'checks'>

const SETTINGS_INVALID = 'the settings are invalid'

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
      : ['identity', 'projected token', 'connectivity', 'clock', 'token exchange'].map((check) => ({
          check,
          status: 'not_checked' as const,
          reason: SETTINGS_INVALID,
        }))),
  ]
}

/** Returns true if every check passed, is not needed, or was left out by a flag. */
export function isOk(checks: readonly Pick<CheckSummary, 'status'>[]): boolean {
  return checks.every(({ status }) => status !== 'failed' && status !== 'not_checked')
}

function summarizeSidecar(
  { sidecar, admin, route }: Findings,
  leftOut: LeftOut,
): readonly CheckSummary[] {
  if (sidecar === undefined) {
    const status = leftOut.sidecar ? ('skipped' as const) : ('not_checked' as const)
    return ['sidecar', 'admin port', 'route'].map((check) => ({ check, status }))
  }
  const isListening = sidecar.ok || sidecar.error?.code === 'sidecar_not_ready'
  return [
    { ...toSummary('sidecar', sidecar.error), subject: sidecar.address },
    admin === undefined
      ? isListening
        ? { check: 'admin port', status: 'not_needed', reason: 'WIMDS_ADMIN_LISTEN is off' }
        : { check: 'admin port', status: 'not_checked', reason: 'the sidecar does not listen' }
      : { ...toSummary('admin port', admin.error), subject: admin.address },
    summarizeRoute(route),
  ]
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
  const { assertions, endpoints, exchanges, identityError, clockSkewSeconds, clockError } = report
  return [
    ...assertions.map(({ file, error }) => ({
      ...toSummary('projected token', error),
      subject: file,
    })),
    ...endpoints.map(({ endpoint, error }) => ({
      ...toSummary('connectivity', error),
      subject: endpoint,
    })),
    clockSkewSeconds === undefined
      ? isExchangeLeftOut
        ? { check: 'clock', status: 'skipped' }
        : { check: 'clock', status: 'not_checked', reason: 'Entra ID did not answer' }
      : toSummary('clock', clockError),
    ...exchanges.map(({ identity, resource, error, notChecked }) => ({
      ...(notChecked === undefined
        ? toSummary('token exchange', error)
        : { check: 'token exchange', status: 'not_checked' as const, reason: notChecked }),
      subject: `${identity} → ${resource}`,
    })),
    ...(isExchangeLeftOut
      ? [{ check: 'token exchange', status: 'skipped' as const }]
      : identityError === undefined
        ? []
        : [
            {
              check: 'token exchange',
              status: 'not_checked' as const,
              reason: 'no identity is configured',
            },
          ]),
  ]
}

function toSummary(check: string, error: Problem | undefined): CheckSummary {
  return error === undefined
    ? { check, status: 'ok' }
    : { check, status: 'failed', code: error.code }
}

function isUnchecked(status: CheckStatus): boolean {
  return status === 'not_checked' || status === 'not_needed' || status === 'skipped'
}
