/** Creates the findings of checks from outside. */
import type { CheckName, Finding, Problem } from './report.ts'

export function passed(check: CheckName, ...details: readonly string[]): Finding {
  return { check, status: 'ok', details }
}

export function failed(check: CheckName, error: Problem, ...details: readonly string[]): Finding {
  return { check, status: 'failed', code: error.code, details, error }
}

export function notChecked(
  check: CheckName,
  reason: string,
  ...details: readonly string[]
): Finding {
  return { check, status: 'not_checked', reason, details }
}

export function notNeeded(
  check: CheckName,
  reason: string,
  ...details: readonly string[]
): Finding {
  return { check, status: 'not_needed', reason, details }
}
