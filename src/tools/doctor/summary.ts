/** Lists the outcome of each check of a report, so that nothing counts as right that was not checked. */
import { toOutcome } from './findings.ts'
import { formatClient } from './requests-check.ts'
import type { CheckName, CheckSummary, DoctorReport, Outcome } from './doctor-report.ts'

/** Returns one check as it is listed. */
export function summarize(
  check: CheckName,
  { status, reason, failure }: Outcome,
  subject?: string,
): CheckSummary {
  return {
    check,
    ...(subject !== undefined && { subject }),
    status,
    ...(failure !== undefined && { code: failure.code }),
    ...(reason !== undefined && { reason }),
  }
}

/** The sections of a sidecar. */
export type SidecarSections = Required<
  Pick<DoctorReport, 'sidecar' | 'admin' | 'route' | 'requests'>
>

/** Lists the checks of a sidecar, all with the same outcome if there are no sections. */
export function summarizeSidecar(sections: SidecarSections | Outcome): readonly CheckSummary[] {
  if ('status' in sections) {
    return (['sidecar', 'admin_port', 'route', 'requests'] as const).map((check) =>
      summarize(check, sections),
    )
  }
  const { sidecar, admin, route, requests } = sections
  const failures = requests.failed.filter(({ needsFix }) => needsFix)
  return [
    summarize('sidecar', sidecar, sidecar.address),
    summarize('admin_port', admin, admin.address),
    summarize('route', route),
    ...(failures.length === 0
      ? [summarize('requests', requests)]
      : failures.map((each) => summarize('requests', toOutcome(each.failure), formatClient(each)))),
  ]
}

/** The sections from the identity to the exchange. */
type FederationSections = Pick<
  DoctorReport,
  'identityFailure' | 'assertions' | 'endpoints' | 'exchanges'
> & { readonly clock: Outcome }

/** Lists the checks from the identity to the exchange; `noExchange` is the outcome if none was attempted. */
export function summarizeFederation(
  { identityFailure, assertions, endpoints, clock, exchanges }: FederationSections,
  noExchange: Outcome,
): readonly CheckSummary[] {
  return [
    summarize('identity', toOutcome(identityFailure)),
    ...assertions.map((each) => summarize('projected_token', each, each.file)),
    ...endpoints.map((each) => summarize('connectivity', each, each.endpoint)),
    summarize('clock', clock),
    ...(exchanges.length === 0
      ? [summarize('token_exchange', noExchange)]
      : exchanges.map((each) =>
          summarize('token_exchange', each, `${each.identity} → ${each.resource}`),
        )),
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
