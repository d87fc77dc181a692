/** Parses the flag `--tenant-id`. */
import { tenant } from '../config/parsers.ts'
import type { Flags } from '../lib/args.ts'

/** Returns the tenant; undefined if none is given. If a problem was added to the list, it must not be used. */
export function parseTenantFlag(
  flags: Pick<Flags<'tenant-id'>, 'value'>,
  problems: string[],
): string | undefined {
  const text = flags.value('tenant-id')
  if (text !== undefined && !tenant.safeParse(text).success) {
    problems.push(`--tenant-id must be a tenant's GUID or domain, not ${JSON.stringify(text)}`)
  }
  return text
}
