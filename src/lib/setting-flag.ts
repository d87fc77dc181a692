/** Parses flags with the schemas of settings. */
import type * as z from 'zod/mini'
import type { Flags } from './args.ts'

/**
 * Returns the value of the flag; undefined if it is not given. Also returns undefined, and adds a problem to the list,
 * if it is not valid.
 */
export function parseSettingFlag<Name extends string, T>(
  flags: Pick<Flags<Name>, 'value'>,
  name: Name,
  schema: z.ZodMiniType<T>,
  problems: string[],
): T | undefined {
  const text = flags.value(name)
  if (text === undefined) return undefined
  const parsed = schema.safeParse(text)
  if (parsed.success) return parsed.data
  problems.push(`--${name} ${parsed.error.issues[0]?.message ?? 'is not valid'}`)
  return undefined
}
