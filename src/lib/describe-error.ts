/** Describes errors for people and for the log, scrubbed of anything that may be a credential. */
import { BrokerError, ConfigError } from './errors.ts'
import { scrub } from './secret.ts'

/**
 * Returns the message of an error; without one, the messages of its errors, its code or its name. The error of Node for
 * a name with several addresses, which all failed, has none.
 */
export function errorMessage(error: unknown): string {
  if (!(error instanceof Error)) return scrub(String(error))
  if (error.message !== '') return scrub(error.message)
  const errors = error instanceof AggregateError ? error.errors.map(errorMessage) : []
  return errors.join('; ') || (errorCode(error) ?? error.name)
}

/** Returns the message of an error without its fix. */
export function describeProblem(error: unknown): string {
  if (error instanceof BrokerError) return scrub(error.problem)
  if (!(error instanceof ConfigError)) return errorMessage(error)
  return error.problems.map(({ problem }) => scrub(problem)).join('; ')
}

/** Returns the code of an error of Node, such as `ENOENT`; undefined for any other error. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined
}

/**
 * Returns the log line, in JSON, for an error that nothing caught. It contains names, messages and stacks
 * only: the other properties of an error, which Node prints, may contain a request with its headers.
 */
export function formatCrash(thrown: unknown, now = new Date()): string {
  const [stack, ...causes] = describeCauses(thrown)
  return `${JSON.stringify({
    level: 'fatal',
    time: now.toISOString(),
    event: 'crashed',
    message: 'Unhandled error; the process exits with code 1',
    stack,
    ...(causes.length > 0 && { causes }),
  })}\n`
}

/** A chain of causes may be circular. */
const MAX_CAUSES = 5

/** Returns the stack of the error, then the stacks of its causes. */
function describeCauses(thrown: unknown): string[] {
  const stacks: string[] = []
  let next = thrown
  while (next !== undefined && stacks.length <= MAX_CAUSES) {
    stacks.push(describeError(next))
    next = next instanceof Error ? next.cause : undefined
  }
  return stacks.length > 0 ? stacks : [describeError(thrown)]
}

function describeError(thrown: unknown): string {
  if (!(thrown instanceof Error)) return `a thrown ${typeof thrown}`
  return scrub(typeof thrown.stack === 'string' ? thrown.stack : thrown.name)
}

/** Removes the ids and the time at the end of Entra ID's descriptions, and the stop before them unless text follows. */
export function removeTraceIds(message: string): string {
  return message.replace(
    /(\.?)\s+Trace ID:.*?Timestamp: [\d:\- ]+Z(?=([^.;])?)/s,
    (_, before: string, next: string | undefined) => (next === undefined ? '' : before),
  )
}
