/** Parses the flags of commands that listen, such as `--admin-listen`. */
import { type Address, addresses } from '../config/parsers.ts'
import type { Flags } from '../lib/args.ts'

/** Returns the address of the flag, or the fallback without one; adds a problem if it is not one address. */
export function parseAddressFlag<Name extends string>(
  flags: Flags<Name>,
  name: Name,
  fallback: Address,
  problems: string[],
): Address {
  const text = flags.value(name)
  if (text === undefined) return fallback
  const parsed = addresses.safeParse(text)
  const [address, ...more] = parsed.success ? parsed.data : []
  if (address !== undefined && more.length === 0) return address
  problems.push(`--${name} must be host:port or [IPv6]:port`)
  return fallback
}
