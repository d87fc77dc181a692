/** Parses the flags of commands that listen, such as `--admin-listen`. */
import { type Address, addresses, quote } from '../config/parsers.ts'
import type { Flags } from '../lib/args.ts'

/** Returns the address of the flag, or the fallback without one; adds a problem if it is not one address. */
export function parseAddressFlag<Name extends string, Fallback extends Address | undefined>(
  flags: Flags<Name>,
  name: Name,
  fallback: Fallback,
  problems: string[],
): Address | Fallback {
  const text = flags.value(name)
  if (text === undefined) return fallback
  const parsed = addresses.safeParse(text)
  const [address, ...more] = parsed.success ? parsed.data : []
  if (address !== undefined && more.length === 0) return address
  problems.push(`--${name} must be one host:port or [IPv6]:port, not ${quote(text)}`)
  return fallback
}
