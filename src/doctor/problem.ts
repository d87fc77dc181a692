/** Converts errors to the problems of the report. */
import { type BrokerError, type ErrorCode } from '../errors.ts'
import { explainAadsts } from '../exchange/aadsts.ts'
import { scrub } from '../secret.ts'
import { DOCS_URL } from '../version.ts'
import type { Problem } from './report.ts'

/** Checks without an error code of their own: only doctor makes them. */
type DoctorCode = 'sidecar_not_listening' | 'sidecar_not_ready'

/** Creates a problem with the link to its section of docs/troubleshooting.md. */
export function createProblem(
  code: ErrorCode | DoctorCode,
  message: string,
  fix?: string,
): Problem {
  return {
    code,
    message: scrub(message),
    ...(fix !== undefined && { fix: scrub(fix) }),
    url: `${DOCS_URL}/troubleshooting.md#${code}`,
  }
}

/** Converts an error, whose message has its fix behind `Fix:`. */
export function toProblem({ code, message, entra }: BrokerError): Problem {
  const [text = '', fix] = message.split(/\.? Fix: /)
  const aadsts = entra?.aadsts
  const explained = aadsts === undefined ? undefined : explainAadsts(aadsts)
  return {
    ...createProblem(code, text, explained?.fix ?? fix),
    ...(aadsts !== undefined && { aadsts }),
    ...(explained !== undefined && { explanation: explained.explanation }),
  }
}
