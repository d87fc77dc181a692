/** The host by which a program on this machine reaches another one. */
import { formatUrlHost } from '../lib/hosts.ts'

/**
 * Returns the host by which this machine reaches a listener. A wildcard becomes 127.0.0.1, since `::`
 * accepts IPv4 too, and is bound as 0.0.0.0 on a machine without IPv6.
 */
export function toLocalHost(host: string): string {
  return host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
}

/** Returns the address by which this machine reaches a listener, in the form for a URL. */
export function formatLocalAddress({ host, port }: { host: string; port: number }): string {
  return `${formatUrlHost(toLocalHost(host))}:${port}`
}
