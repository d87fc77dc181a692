/** What the log says of an error: what happened and what to do, with no secret and no repetition. */
import { type BrokerError, toBrokerError } from '../errors.ts'
import { scrub } from '../secret.ts'

/**
 * The fields of an error, without a stack, except for a fault of wimds itself. Messages and causes can
 * hold text of other servers, so they pass the scrubber.
 */
export function errorFields(thrown: unknown): Readonly<Record<string, unknown>> {
  const error = toBrokerError(thrown)
  const { aadsts, traceId, correlationId } = error.entra ?? {}
  const message = scrub(error.message)
  const cause = causeOf(error)
  return {
    code: error.code,
    message,
    ...(aadsts !== undefined && { aadsts }),
    ...(traceId !== undefined && { entraTraceId: scrub(traceId) }),
    ...(correlationId !== undefined && { entraCorrelationId: scrub(correlationId) }),
    ...(cause !== undefined && !message.includes(cause) && { cause }),
  }
}

function causeOf({ code, cause }: BrokerError): string | undefined {
  if (!(cause instanceof Error)) return undefined
  return scrub(code === 'internal' ? String(cause.stack) : cause.message)
}
