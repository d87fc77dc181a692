/** The log line of an error that nothing caught. */
import { scrub } from '../lib/secret.ts'

/**
 * Returns the log line, in JSON, for an error that nothing caught. It contains only names, messages and stacks. Node would also
 * print the other properties of an error, which may contain a request with its headers.
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

/** The maximum number of causes: a chain of causes may be circular. */
const MAX_CAUSES = 5

/** Returns the stack of the error, then the stacks of its causes. */
function describeCauses(thrown: unknown): string[] {
  const stacks: string[] = []
  let next = thrown
  do {
    stacks.push(describeError(next))
    next = next instanceof Error ? next.cause : undefined
  } while (next !== undefined && stacks.length <= MAX_CAUSES)
  return stacks
}

function describeError(thrown: unknown): string {
  if (!(thrown instanceof Error)) return `a thrown ${typeof thrown}`
  return scrub(typeof thrown.stack === 'string' ? thrown.stack : thrown.name)
}
