/** Creates the findings of checks, and links each failure to its section of docs/troubleshooting.md. */
import type { EntraDetails, ErrorCode, Problem } from '../../lib/errors.ts'
import { scrub, scrubAndTruncate } from '../../lib/secret.ts'
import { docsPage } from '../../lib/version.ts'
import { explainError, findAadstsPage } from '../../broker/aadsts.ts'
import type { StatusDocument } from '../../broker/telemetry/status-schema.ts'
import type { CheckName, Failure, Finding } from './doctor-report.ts'

/** The names of faults that only doctor finds; docs/troubleshooting.md has a section for each. */
export const DOCTOR_CODES = [
  'settings_invalid',
  'sidecar_not_listening',
  'sidecar_not_ready',
  'route_missing',
  'route_to_other_service',
  'clock_skew',
  // Of a pod, from outside
  'kubectl_missing',
  'api_server_unreachable',
  'login_failed',
  'permission_missing',
  'kubectl_failed',
  'pod_not_found',
  'pod_not_injected',
  'redirect_failed',
  'gate_failed',
  'node_agent_missing',
  'node_agent_not_running',
  'pod_not_routed',
  'sidecar_not_running',
  'sdk_variables_missing',
  'token_request_proxied',
  // Before an installation
  'kubernetes_version',
  'issuer_mismatch',
  'pod_not_admitted',
  'webhook_unavailable',
  // Of an installation
  'not_installed',
  'webhook_certificate_invalid',
] as const

type FaultCode = ErrorCode | (typeof DOCTOR_CODES)[number]

/** A fault that a check has found. A `BrokerError` is one, too; a sidecar of another version may report other codes. */
export interface Fault<Code extends string = FaultCode> extends Pick<Problem, 'problem' | 'fix'> {
  readonly code: Code
  readonly entra?: EntraDetails | undefined
}

/** The result of a check, without its name. */
export type Outcome = Omit<Finding, 'check' | 'subject'>

/** Ends a check with this outcome, from any depth of its calls. */
export class CheckEnd extends Error {
  readonly outcome: Outcome

  constructor(outcome: Outcome) {
    super(outcome.reason ?? outcome.failure?.problem)
    this.outcome = outcome
  }
}

export function endAsFailed(fault: Fault): never {
  throw new CheckEnd(failed(fault))
}

export function endUnmade(reason: string, ...details: string[]): never {
  throw new CheckEnd(notChecked(reason, ...details))
}

/** Returns what the work returns, or the `CheckEnd` that it throws. */
export async function catchEnd<T>(work: () => T | Promise<T>): Promise<T | CheckEnd> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof CheckEnd) return error
    throw error
  }
}

/** Runs a check and names its outcome. */
export async function runCheck(
  check: CheckName,
  run: () => Outcome | Promise<Outcome>,
  subject?: string,
): Promise<Finding> {
  const result = await catchEnd(run)
  return createFinding(check, result instanceof CheckEnd ? result.outcome : result, subject)
}

/** Names the outcome of a check; an empty list of warnings or commands is left out. */
export function createFinding(
  check: CheckName,
  { warnings = [], commands = [], ...outcome }: Outcome,
  subject?: string,
): Finding {
  return {
    check,
    ...(subject !== undefined && { subject }),
    ...outcome,
    ...(warnings.length > 0 && { warnings }),
    ...(commands.length > 0 && { commands }),
  }
}

export function passed(...details: string[]): Outcome {
  return { status: 'ok', details }
}

/** Returns the outcome of a check that could not be made. */
export function notChecked(reason: string, ...details: string[]): Outcome {
  return { status: 'not_checked', reason, details }
}

/** Returns the outcome of a check of something that is not in use. */
export function notNeeded(reason: string): Outcome {
  return { status: 'not_needed', reason, details: [] }
}

export function failed(fault: Fault, ...details: string[]): Outcome {
  return { status: 'failed', details, failure: createFailure(fault) }
}

/** Returns the outcome of a check for a failure that a status document reports. */
export function reportedFailure(
  { code, message: problem, fix, aadsts }: StatusDocument['failedRequests'][number]['failure'],
  ...details: string[]
): Outcome {
  const entra = aadsts === undefined ? undefined : { aadsts }
  return { status: 'failed', details, failure: createFailure({ code, problem, fix, entra }) }
}

/** The most characters of a problem: it may contain a text of the cluster, such as the last output of a container. */
const MAX_PROBLEM = 2000

/** Creates the failure in a report. If the problem is a text of Entra ID, adds the meaning of its AADSTS code. */
function createFailure({ code, problem, fix, entra }: Fault<string>): Failure {
  const aadsts = entra?.aadsts
  const entry = explainError({ code, entra })
  return {
    code,
    problem: scrubAndTruncate(problem, MAX_PROBLEM),
    ...(fix !== undefined && { fix: scrub(fix) }),
    url: (entry && findAadstsPage(aadsts)) ?? docsPage('troubleshooting', code),
    ...(aadsts !== undefined && { aadsts }),
    ...(entry && problem.startsWith('AADSTS') && { explanation: entry.explanation }),
  }
}
