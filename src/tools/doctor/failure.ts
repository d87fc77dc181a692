/** Converts errors to the failures of the report. */
import type { BrokerError, ErrorCode } from '../../lib/errors.ts'
import { explainAadsts } from '../../sidecar/exchange/aadsts.ts'
import { scrub } from '../../lib/secret.ts'
import type { StatusDocument } from '../../sidecar/telemetry/status-schema.ts'
import { DOCS_URL } from '../../lib/version.ts'
import type { Failure } from './doctor-report.ts'

/** The names of faults that only doctor finds; docs/troubleshooting.md has a section for each. */
export const DOCTOR_CODES = [
  'settings_invalid',
  'sidecar_not_listening',
  'sidecar_not_ready',
  'admin_not_listening',
  'route_missing',
  'route_to_other_service',
  'clock_skew',
  // Of a pod, from outside
  'kubectl_missing',
  'kubectl_failed',
  'pod_not_found',
  'pod_not_injected',
  'redirect_failed',
  'node_agent_missing',
  'node_agent_not_running',
  'pod_not_routed',
  'sidecar_not_running',
  'sdk_variables_missing',
  'sdk_variables_conflict',
  'token_request_proxied',
  // Before an installation
  'kubernetes_version',
  'issuer_mismatch',
  'pod_not_admitted',
  'webhook_not_ready',
] as const

export type FailureCode = ErrorCode | (typeof DOCTOR_CODES)[number]

/** Creates a failure with the link to its section of docs/troubleshooting.md. */
export function createFailure(code: FailureCode, problem: string, fix?: string): Failure {
  return linkFailure(code, problem, fix)
}

function linkFailure(code: string, problem: string, fix: string | undefined): Failure {
  return {
    code,
    problem: scrub(problem),
    ...(fix !== undefined && { fix: scrub(fix) }),
    url: `${DOCS_URL}/troubleshooting.md#${code}`,
  }
}

/** Converts an error. */
export function toFailure({ code, problem, fix, entra }: BrokerError): Failure {
  return explainFailure({ code, message: problem, fix, aadsts: entra?.aadsts })
}

/** Converts a failure of a status document. */
export function explainFailure({
  code,
  message,
  fix,
  aadsts,
}: StatusDocument['failedRequests'][number]['failure']): Failure {
  const explained = explainAadsts(aadsts)
  return {
    ...linkFailure(code, message, fix),
    ...(aadsts !== undefined && { aadsts }),
    ...(explained !== undefined && { explanation: explained.explanation }),
  }
}
