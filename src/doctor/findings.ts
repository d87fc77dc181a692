/** Creates the findings of checks from outside. */
import type { Finding, Problem } from './report.ts'

export function passed(check: string, ...details: readonly string[]): Finding {
  return { check, status: 'ok', details }
}

export function failed(check: string, error: Problem, ...details: readonly string[]): Finding {
  return { check, status: 'failed', code: error.code, details, error }
}

export function notChecked(check: string, reason: string, ...details: readonly string[]): Finding {
  return { check, status: 'not_checked', reason, details }
}

export function notNeeded(check: string, reason: string, ...details: readonly string[]): Finding {
  return { check, status: 'not_needed', reason, details }
}
