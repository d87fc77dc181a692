/** Creates the outcomes of checks. */
import type { CheckName, Finding, Outcome, Failure } from './doctor-report.ts'

/** Creates the outcome of a check that was made. */
export function toOutcome(failure: Failure | undefined): Outcome {
  return failure === undefined ? { status: 'ok' } : { status: 'failed', failure }
}

/** Creates the finding of a check that passed. */
export function passed(check: CheckName, ...details: readonly string[]): Finding {
  return { check, status: 'ok', details }
}

/** Creates the finding of a check that failed. */
export function failed(check: CheckName, failure: Failure, ...details: readonly string[]): Finding {
  return { check, status: 'failed', code: failure.code, details, failure }
}

/** Creates the finding of a check that could not be made. */
export function notChecked(
  check: CheckName,
  reason: string,
  ...details: readonly string[]
): Finding {
  return { check, status: 'not_checked', reason, details }
}

/** Creates the finding of a check of something that is not in use. */
export function notNeeded(
  check: CheckName,
  reason: string,
  ...details: readonly string[]
): Finding {
  return { check, status: 'not_needed', reason, details }
}
