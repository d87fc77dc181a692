/** What is said of an error that nothing caught: in one line, with nothing that could be a credential. */
import { scrub } from '../secret.ts'

/**
 * One line of JSON for standard error, in place of what Node prints. Node shows the properties of an
 * error and of its causes, and those of an HTTP client may hold the request: here only names, messages
 * and stacks are told, scrubbed.
 */
export function crashLine(thrown: unknown, now = new Date()): string {
  const [stack, ...causes] = storiesOf(thrown)
  return `${JSON.stringify({
    level: 'fatal',
    time: now.toISOString(),
    event: 'crashed',
    stack,
    ...(causes.length > 0 && { causes }),
  })}\n`
}

/** A chain of causes may be a ring. */
const MAX_CAUSES = 5

/** The stack of the error, then those of its causes. */
function storiesOf(thrown: unknown): string[] {
  const stories: string[] = []
  let next = thrown
  while (next !== undefined && stories.length <= MAX_CAUSES) {
    stories.push(describeError(next))
    next = next instanceof Error ? next.cause : undefined
  }
  return stories.length > 0 ? stories : [describeError(thrown)]
}

function describeError(thrown: unknown): string {
  if (!(thrown instanceof Error)) return `a thrown ${typeof thrown}`
  return scrub(typeof thrown.stack === 'string' ? thrown.stack : thrown.name)
}
