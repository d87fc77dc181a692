/** Describes the error in a control request or a configuration file, and the allowed values. */
import { z } from 'zod'
import { formatKind, quote } from '../../broker/config/parsers.ts'

/** Parses the value. The messages of its issues are for people. */
export function parseForPeople<T>(schema: z.ZodType<T>, value: unknown) {
  return schema.safeParse(value, { error: describeIssue })
}

/** Formats `[0].kind: must be …`; of the value as a whole only the message. */
export function formatIssue({ path, message }: z.core.$ZodIssue): string {
  return path.length === 0 ? message : `${z.core.toDotPath(path)}: ${message}`
}

/** Returns undefined for an issue that no schema of the simulator has. */
function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  const { input, inst } = issue
  switch (issue.code) {
    case 'invalid_type':
      return input === undefined ? 'is missing' : `must be ${formatKind(issue.expected)}`
    case 'invalid_format':
      return `must be ${FORMATS[issue.format] ?? issue.format}, not ${formatValue(input)}`
    case 'invalid_value':
      return describeChoice(input, issue.values)
    case 'invalid_union':
      // The kind of a fault.
      return describeChoice(Object(input)[issue.discriminator ?? ''], [issue.options].flat())
    case 'unrecognized_keys':
      return describeKeys(issue.keys, inst instanceof z.ZodObject ? Object.keys(inst.shape) : [])
    case 'too_small':
      if (issue.origin === 'string' || issue.origin === 'array') return 'must not be empty'
      return `must be ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}, not ${formatValue(input)}`
    case 'too_big':
      if (issue.origin === 'string') return `must have at most ${issue.maximum} characters`
      if (issue.origin === 'array') return `must have at most ${issue.maximum} entries`
      return `must be at most ${issue.maximum}, not ${formatValue(input)}`
    case 'custom':
    case 'invalid_element':
    case 'invalid_key':
    case 'not_multiple_of':
      break
  }
  return undefined
}

const FORMATS: Readonly<Record<string, string>> = { guid: 'a GUID', url: 'a URL' }

function describeChoice(input: unknown, choices: readonly unknown[]): string {
  const allowed = choices.join(', ')
  if (input === undefined) return `is missing; it must be one of ${allowed}`
  return `must be one of ${allowed}, not ${formatValue(input)}`
}

const describeKeys = (keys: readonly string[], allowed: readonly string[]): string =>
  `has no member ${keys.map(quote).join(', ')}; its members are ${allowed.join(', ')}`

function formatValue(input: unknown): string {
  if (typeof input === 'number') return String(input)
  return quote(typeof input === 'string' ? input : JSON.stringify(input))
}
