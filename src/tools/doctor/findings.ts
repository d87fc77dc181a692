/** Creates the findings of checks. */
import type { CheckName, Failure, Finding } from './doctor-report.ts'

/** Creates the finding of a check that passed. */
export function passed(check: CheckName, ...details: string[]): Finding {
  return { check, status: 'ok', details }
}

/** Creates the finding of a check that failed. */
export function failed(check: CheckName, failure: Failure, ...details: string[]): Finding {
  return { check, status: 'failed', details, failure }
}

/** Creates the finding of a check that could not be made. */
export function notChecked(check: CheckName, reason: string, ...details: string[]): Finding {
  return { check, status: 'not_checked', reason, details }
}

/** Creates the finding of a check of something that is not in use. */
export function notNeeded(check: CheckName, reason: string, ...details: string[]): Finding {
  return { check, status: 'not_needed', reason, details }
}

/** Creates the finding of a check that a flag leaves out. */
export function skipped(check: CheckName): Finding {
  return { check, status: 'skipped', details: [] }
}
