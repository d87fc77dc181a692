/** Formats the reports of checks from outside for people. */
import {
  type FormatOptions,
  formatName,
  formatFailure,
  formatReason,
  formatSection,
  formatSections,
  formatStatus,
  formatVerdict,
  joinSections,
} from './format-report.ts'
import { toLine } from '../../lib/printable.ts'
import type { DoctorReport, Finding, PodReport, PreReport } from './doctor-report.ts'
import { listChecks } from './summary.ts'

/** Returns the report of a pod as text that ends with a newline. */
export function formatPodReport(report: PodReport, options: FormatOptions): string {
  const { namespace, pod, checks, inside } = report
  const name = namespace === undefined ? pod : `${namespace}/${pod}`
  return joinSections([
    formatSection(`Pod ${name}`, checks.flatMap(formatFinding)),
    ...(inside === undefined ? [] : [formatOrigin(inside), ...formatSections(inside, options)]),
    formatVerdict(listChecks(report)),
  ])
}

/** Says whose texts follow: whoever may change the pod may have written them, with the commands in them. */
function formatOrigin({ version }: DoctorReport): string {
  return `Reported by the sidecar of the pod, wimds ${toLine(version)}. Read its commands before you run them, unless you trust the pod.\n`
}

/** Returns the report of a cluster before an installation as text that ends with a newline. */
export function formatPreReport({ checks, version }: PreReport): string {
  return joinSections([
    formatSection(`Before an installation of wimds ${version}`, checks.flatMap(formatFinding)),
    formatVerdict(checks),
  ])
}

function formatFinding(finding: Finding): string[] {
  const { check, subject, status, details, failure } = finding
  const first = formatReason(finding)
  const [title, ...others] = [...(first === undefined ? [] : [first]), ...details]
  const name = subject === undefined ? formatName(check) : `${formatName(check)} (${subject})`
  return [
    `${formatStatus(status)} ${name}${title === undefined ? '' : `: ${title}`}`,
    ...others.map((line) => `  ${line}`),
    ...(failure === undefined ? [] : formatFailure(failure)),
  ]
}
