/** Formats the errors of a control request or a configuration file. */
import { z } from 'zod'

/** Formats an issue such as `[0].kind: Invalid input`. Formats only the message if the issue is about the whole value. */
export function formatIssue({ path, message }: z.core.$ZodIssue): string {
  return path.length === 0 ? message : `${z.core.toDotPath(path)}: ${message}`
}
