/** Formats the error in a control request or a configuration file. */
import { z } from 'zod'

/** Formats `[0].kind: Invalid input`; of the value as a whole only the message. */
export function formatIssue({ path, message }: z.core.$ZodIssue): string {
  return path.length === 0 ? message : `${z.core.toDotPath(path)}: ${message}`
}
