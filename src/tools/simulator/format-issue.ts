/** Formats the errors of a control request or a configuration file. */
import { z } from 'zod'
import { formatKind } from '../../service/parsers.ts'

/** Formats an issue such as `[0].kind: must be text`. Formats only the message if the issue is about the whole value. */
export function formatIssue(issue: z.core.$ZodIssue): string {
  const message = formatMessage(issue)
  return issue.path.length === 0 ? message : `${z.core.toDotPath(issue.path)}: ${message}`
}

function formatMessage(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return `has an unknown key: ${issue.keys.join(', ')}`
  if (issue.code !== 'invalid_type') return issue.message
  return issue.message.endsWith('received undefined')
    ? 'is missing'
    : `must be ${formatKind(issue.expected)}`
}
