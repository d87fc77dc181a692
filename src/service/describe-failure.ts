/** Describes errors for the log and the status. Texts from callers and other servers are scrubbed. */
import { errorMessage } from '../lib/describe-error.ts'
import { type BrokerError, toBrokerError } from '../lib/errors.ts'
import { scrub } from '../lib/secret.ts'

/** Returns code, problem, fix and Entra ID's ids. */
export function describeFailure({ code, problem, fix, entra = {} }: BrokerError) {
  const { aadsts, traceId, correlationId } = entra
  return {
    code,
    message: scrub(problem),
    ...(fix !== undefined && { fix: scrub(fix) }),
    ...(aadsts !== undefined && { aadsts }),
    ...(traceId !== undefined && { entraTraceId: scrub(traceId) }),
    ...(correlationId !== undefined && { entraCorrelationId: scrub(correlationId) }),
  }
}

/** Returns the log fields of an error: its failure and the cause. Only the code `internal` has a stack. */
export function errorFields(thrown: unknown): Readonly<Record<string, unknown>> {
  const error = toBrokerError(thrown)
  const { fix: _, ...failure } = describeFailure(error)
  const message = scrub(error.message)
  const cause = describeCause(error)
  return {
    ...failure,
    message,
    ...(cause !== undefined && !message.includes(cause) && { cause }),
  }
}

function describeCause({ code, cause }: BrokerError): string | undefined {
  if (!(cause instanceof Error)) return undefined
  return code === 'internal' ? scrub(String(cause.stack)) : errorMessage(cause)
}
